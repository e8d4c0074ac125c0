; Definitions, doc comments, attributes and imports of Rust. An impl block is a container named after its type.

(function_item name: (identifier) @name body: (block) @body) @definition.function
(function_signature_item name: (identifier) @name) @definition.function

(struct_item name: (type_identifier) @name body: (field_declaration_list)? @body) @definition.struct
(union_item name: (type_identifier) @name body: (_) @body) @definition.struct
(enum_item name: (type_identifier) @name body: (_) @body) @definition.enum
(trait_item name: (type_identifier) @name body: (_) @body) @definition.trait

(impl_item
  type: [
    (type_identifier) @name
    (generic_type type: (type_identifier) @name)
    (generic_type type: (scoped_type_identifier name: (_) @name))
    (scoped_type_identifier name: (_) @name)
    (reference_type type: (type_identifier) @name)
    (reference_type type: (generic_type type: (type_identifier) @name))
    (dynamic_type trait: (type_identifier) @name)
    (primitive_type) @name
    (tuple_type) @name
    (array_type) @name
    (pointer_type) @name
    (macro_invocation macro: (identifier) @name)]
  body: (_) @body) @definition.impl

(mod_item name: (identifier) @name body: (_) @body) @definition.module

(const_item name: (identifier) @name) @definition.constant
(static_item name: (identifier) @name) @definition.constant
(type_item name: (type_identifier) @name) @definition.type
(associated_type name: (type_identifier) @name) @definition.type
(macro_definition name: (identifier) @name [ "(" "{" "[" ] @body) @definition.macro

(attribute_item) @decorator

(line_comment) @comment
(block_comment) @comment

(use_declaration) @import
(use_declaration argument: [
  (identifier) @bound
  (scoped_identifier name: (identifier) @bound)
  (use_as_clause alias: (identifier) @bound)
  (use_list (_) @bound)
  (scoped_use_list list: (use_list [
    (identifier) @bound
    (scoped_identifier name: (identifier) @bound)
    (use_as_clause alias: (identifier) @bound)
    (scoped_use_list list: (use_list [
      (identifier) @bound
      (scoped_identifier name: (identifier) @bound)
      (use_as_clause alias: (identifier) @bound)
      (scoped_use_list list: (use_list (identifier) @bound))]))]))]) @import
; mod x; is what ties x.rs to its crate
(mod_item !body name: (identifier) @bound) @import
(extern_crate_declaration !alias name: (identifier) @bound) @import
(extern_crate_declaration alias: (identifier) @bound) @import
