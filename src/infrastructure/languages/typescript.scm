; TypeScript and TSX beside ecmascript.scm: classes, types and signatures without a body.

([
  (export_statement declaration: [
    (class_declaration name: (type_identifier) @name body: (_) @body)
    (abstract_class_declaration name: (type_identifier) @name body: (_) @body)
    (ambient_declaration (class_declaration name: (type_identifier) @name body: (_) @body))])
  (ambient_declaration (class_declaration name: (type_identifier) @name body: (_) @body))
  (class_declaration name: (type_identifier) @name body: (_) @body)
  (abstract_class_declaration name: (type_identifier) @name body: (_) @body)
] @definition.class)

([
  (export_statement declaration: [
    (interface_declaration name: (type_identifier) @name body: (_) @body)
    (ambient_declaration (interface_declaration name: (type_identifier) @name body: (_) @body))])
  (ambient_declaration (interface_declaration name: (type_identifier) @name body: (_) @body))
  (interface_declaration name: (type_identifier) @name body: (_) @body)
] @definition.interface)

([
  (export_statement declaration: [
    (enum_declaration name: (identifier) @name body: (_) @body)
    (ambient_declaration (enum_declaration name: (identifier) @name body: (_) @body))])
  (ambient_declaration (enum_declaration name: (identifier) @name body: (_) @body))
  (enum_declaration name: (identifier) @name body: (_) @body)
] @definition.enum)

([
  (export_statement declaration: [
    (type_alias_declaration name: (type_identifier) @name)
    (ambient_declaration (type_alias_declaration name: (type_identifier) @name))])
  (ambient_declaration (type_alias_declaration name: (type_identifier) @name))
  (type_alias_declaration name: (type_identifier) @name)
] @definition.type)

; namespace N.M {}, declare module "m" {}
([
  (export_statement declaration: [
    (internal_module name: (_) @name body: (_) @body)
    (ambient_declaration (internal_module name: (_) @name body: (_) @body))
    (ambient_declaration (module name: [(identifier) @name (string (string_fragment) @name)] body: (_) @body))])
  (ambient_declaration (internal_module name: (_) @name body: (_) @body))
  (ambient_declaration (module name: [(identifier) @name (string (string_fragment) @name)] body: (_) @body))
  (internal_module name: (_) @name body: (_) @body)
  (module name: [(identifier) @name (string (string_fragment) @name)] body: (_) @body)
] @definition.namespace)

; overloads and what is declared elsewhere
([
  (export_statement declaration: [
    (function_signature name: (identifier) @name)
    (ambient_declaration (function_signature name: (identifier) @name))])
  (ambient_declaration (function_signature name: (identifier) @name))
  (function_signature name: (identifier) @name)
] @definition.function)

([
  (method_signature name: [(property_identifier) (private_property_identifier)] @name)
  (method_signature name: (computed_property_name (member_expression property: (property_identifier) @name)))
  (abstract_method_signature name: [(property_identifier) (private_property_identifier)] @name)
] @definition.method)

(public_field_definition
  name: [(property_identifier) (private_property_identifier)] @name
  value: [
    (function_expression body: (_) @body)
    (generator_function body: (_) @body)
    (arrow_function body: (_) @body)]) @definition.method

(public_field_definition
  "static"
  name: [(property_identifier) (private_property_identifier)] @name) @definition.constant

(program
  (export_statement
    declaration: (ambient_declaration
      (lexical_declaration (variable_declarator name: (identifier) @name)))) @definition.constant)

(program
  (ambient_declaration
    (lexical_declaration (variable_declarator name: (identifier) @name))) @definition.constant)

; import x = require("x")
(import_statement (import_require_clause (identifier) @bound)) @import
