; Definitions, comments and imports of Go. A method's scope is its receiver's type.

(function_declaration
  name: (identifier) @name
  body: (block)? @body) @definition.function

(method_declaration
  receiver: (parameter_list
    (parameter_declaration
      type: [
        (type_identifier) @scope
        (generic_type type: (type_identifier) @scope)
        (pointer_type (type_identifier) @scope)
        (pointer_type (generic_type type: (type_identifier) @scope))
        (parenthesized_type (_) @scope)]))
  name: (field_identifier) @name
  body: (block)? @body) @definition.method

; A declaration of one name starts at its keyword; in a parenthesized one each name has its own lines.
([
  (type_declaration . (type_spec
    name: (type_identifier) @name
    type: (struct_type (field_declaration_list) @body)) .)
  (type_spec
    name: (type_identifier) @name
    type: (struct_type (field_declaration_list) @body))
] @definition.struct)

([
  (type_declaration . (type_spec
    name: (type_identifier) @name
    type: (interface_type "{" @body)) .)
  (type_spec
    name: (type_identifier) @name
    type: (interface_type "{" @body))
] @definition.interface)

([
  (type_declaration . (type_spec name: (type_identifier) @name) .)
  (type_spec name: (type_identifier) @name)
  (type_declaration . (type_alias name: (type_identifier) @name) .)
  (type_alias name: (type_identifier) @name)
] @definition.type)

(method_elem name: (field_identifier) @name) @definition.method

([
  (source_file (const_declaration . (const_spec name: (identifier) @name) .) @definition.constant)
  (source_file (const_declaration (const_spec name: (identifier) @name) @definition.constant))
])

([
  (source_file (var_declaration . (var_spec name: (identifier) @name) .) @definition.variable)
  (source_file (var_declaration (var_spec_list (var_spec name: (identifier) @name) @definition.variable)))
])

(comment) @comment

(import_spec) @import
(import_spec name: [(package_identifier) (blank_identifier)] @bound) @import
