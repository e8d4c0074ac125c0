; Definitions, comments, attributes and imports of PHP. A namespace without braces is the scope of what follows it.

(namespace_definition name: (_) @namespace !body)
(namespace_definition name: (_) @name body: (_) @body) @definition.namespace

(function_definition name: (name) @name body: (_) @body) @definition.function
(class_declaration name: (name) @name body: (_) @body) @definition.class
(interface_declaration name: (name) @name body: (_) @body) @definition.interface
(trait_declaration name: (name) @name body: (_) @body) @definition.trait
(enum_declaration name: (name) @name body: (_) @body) @definition.enum

(method_declaration name: (name) @name body: (_)? @body) @definition.method

; $f = function () {}, $f = fn () => 1
(program
  (expression_statement
    (assignment_expression
      left: (variable_name (name) @name)
      right: [
        (anonymous_function body: (_) @body)
        (arrow_function body: (_) @body)])) @definition.function)

(const_declaration (const_element . (name) @name)) @definition.constant
(expression_statement
  (function_call_expression
    function: (name) @_define
    arguments: (arguments . (argument (string (string_content) @name))))
  (#eq? @_define "define")) @definition.constant

(attribute_group) @decorator

(comment) @comment

(namespace_use_declaration) @import
(namespace_use_declaration [
  (namespace_use_clause !alias (name) @bound)
  (namespace_use_clause !alias (qualified_name (name) @bound))
  (namespace_use_clause alias: (name) @bound)
  (namespace_use_group (namespace_use_clause !alias (name) @bound))
  (namespace_use_group (namespace_use_clause !alias (qualified_name (name) @bound)))
  (namespace_use_group (namespace_use_clause alias: (name) @bound))]) @import
(expression_statement [
  (include_expression)
  (include_once_expression)
  (require_expression)
  (require_once_expression)]) @import
(assignment_expression right: [
  (include_expression)
  (include_once_expression)
  (require_expression)
  (require_once_expression)] @import)
(return_statement [
  (include_expression)
  (include_once_expression)
  (require_expression)
  (require_once_expression)] @import)
