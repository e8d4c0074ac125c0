; C++ beside c.scm: classes, namespaces, templates, methods inside and outside their class, aliases, concepts.

([
  (template_declaration (class_specifier name: (_) @name body: (_) @body))
  (class_specifier name: (_) @name body: (_) @body)
] @definition.class)
([
  (template_declaration (struct_specifier name: (_) @name body: (_) @body))
  (template_declaration (union_specifier name: (_) @name body: (_) @body))
  (struct_specifier name: [(template_type) (qualified_identifier)] @name body: (_) @body)
] @definition.struct)

(namespace_definition name: (_) @name body: (_) @body) @definition.namespace

; The body starts at the initialisers: `C() : x(1) {}` is told by its head.
([
  (template_declaration (function_definition
    declarator: (function_declarator declarator: (_) @name)
    (field_initializer_list) @body))
  (function_definition
    declarator: (function_declarator declarator: (_) @name)
    (field_initializer_list) @body)
] @definition.function)

([
  (template_declaration (function_definition
    declarator: [
      (function_declarator declarator: (_) @name)
      (pointer_declarator declarator: (function_declarator declarator: (_) @name))
      (pointer_declarator declarator: (pointer_declarator declarator: (function_declarator declarator: (_) @name)))
      (reference_declarator (function_declarator declarator: (_) @name))
      (operator_cast) @name
      (qualified_identifier (operator_cast)) @name
      (qualified_identifier (qualified_identifier (operator_cast))) @name
      (qualified_identifier (qualified_identifier (qualified_identifier (operator_cast)))) @name]
    body: (_) @body))
  (function_definition
    declarator: [
      (function_declarator declarator: (_) @name)
      (pointer_declarator declarator: (function_declarator declarator: (_) @name))
      (pointer_declarator declarator: (pointer_declarator declarator: (function_declarator declarator: (_) @name)))
      (reference_declarator (function_declarator declarator: (_) @name))
      (operator_cast) @name
      (qualified_identifier (operator_cast)) @name
      (qualified_identifier (qualified_identifier (operator_cast))) @name
      (qualified_identifier (qualified_identifier (qualified_identifier (operator_cast)))) @name]
    body: (_) @body)
] @definition.function)

; C(const C&) = delete;  C() = default;
(function_definition
  declarator: [
    (function_declarator declarator: (_) @name)
    (reference_declarator (function_declarator declarator: (_) @name))]
  [(default_method_clause) (delete_method_clause)]) @definition.function

; declared in the class, defined elsewhere
(field_declaration
  declarator: [
    (function_declarator declarator: (field_identifier) @name)
    (function_declarator declarator: (operator_name) @name)
    (pointer_declarator declarator: (function_declarator declarator: (_) @name))
    (reference_declarator (function_declarator declarator: (_) @name))]) @definition.function
(field_declaration_list
  (declaration
    declarator: [
      (function_declarator declarator: (_) @name)
      (operator_cast) @name]) @definition.function)
(template_declaration
  (declaration
    declarator: [
      (function_declarator declarator: (_) @name)
      (pointer_declarator declarator: (function_declarator declarator: (_) @name))
      (reference_declarator (function_declarator declarator: (_) @name))])) @definition.function
(declaration
  declarator: [
    (function_declarator declarator: (operator_name) @name)
    (reference_declarator (function_declarator declarator: [(identifier) (operator_name)] @name))]) @definition.function

([
  (template_declaration (alias_declaration name: (type_identifier) @name))
  (alias_declaration name: (type_identifier) @name)
] @definition.type)
([
  (template_declaration (concept_definition name: (identifier) @name))
  (concept_definition name: (identifier) @name)
] @definition.type)

(field_declaration
  (storage_class_specifier) @_static
  (type_qualifier) @_const
  declarator: (field_identifier) @name
  (#eq? @_static "static")
  (#any-of? @_const "const" "constexpr")) @definition.constant

(attribute_declaration) @decorator
