; Definitions, docstrings, decorators and imports of Python.

(function_definition
  name: (identifier) @name
  body: (block) @body) @definition.function

(class_definition
  name: (identifier) @name
  body: (block) @body) @definition.class

(module
  (expression_statement
    (assignment left: (identifier) @name)) @definition.constant)

(class_definition
  body: (block
    (expression_statement
      (assignment left: (identifier) @name)) @definition.constant))

(type_alias_statement
  left: (type (identifier) @name)) @definition.type

(decorator) @decorator

(block . (comment)* . (expression_statement . (string) @doc .))

(import_statement) @import
(import_from_statement) @import
(future_import_statement) @import
