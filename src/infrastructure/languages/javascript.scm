; JavaScript and JSX beside ecmascript.scm: classes and their fields.

([
  (export_statement declaration: (class_declaration name: (identifier) @name body: (_) @body))
  (class_declaration name: (identifier) @name body: (_) @body)
] @definition.class)

; class { handler = () => {} }
(field_definition
  property: [(property_identifier) (private_property_identifier)] @name
  value: [
    (function_expression body: (_) @body)
    (generator_function body: (_) @body)
    (arrow_function body: (_) @body)]) @definition.method

(field_definition
  "static"
  property: [(property_identifier) (private_property_identifier)] @name) @definition.constant
