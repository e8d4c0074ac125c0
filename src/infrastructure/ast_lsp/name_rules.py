"""What names do where they stand, language by language, in the node types and fields of their grammars.

Only tables: `references.NameTree` reads a text by them. A field "" stands for a child without one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...domain.syntax import Role

ScopeKind = Literal["module", "class", "function", "block"]


@dataclass(frozen=True, slots=True)
class NameRules:
    """How one language writes names.

    names: leaves that are names.
    binders: (parent, field) -> the role of a name there.
    patterns: what a target may be wrapped in on its way up to its binder; with fields, only through those.
    scopes: what opens a scope, and its kind. outside: (parent, field) in a scope that are evaluated around it.
    hoisted: binders whose names belong to the function around them and not to the block.
    members: a receiver and what is asked of it: node -> (owner's field, name's field).
    calls: node -> the field of what is called ("" for the first child).
    values: binder -> (field of the value, field of the type); iterations: those whose value is run over.
    wrappers: expressions that are what they hold; choices: those that are one of what they hold.
    literals, types, imports: nodes that are one. keywords: (parent, field) of a name that names a parameter.
    classes: node -> fields or child types that hold its bases. functions: node -> field of what it returns.
    sees_members: whether a class's members are seen by their bare names in its methods.
    """

    names: frozenset[str]
    binders: Mapping[tuple[str, str], Role]
    patterns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    scopes: Mapping[str, ScopeKind] = field(default_factory=dict)
    outside: frozenset[tuple[str, str]] = frozenset()
    hoisted: frozenset[str] = frozenset()
    members: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    calls: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    iterations: frozenset[str] = frozenset()
    wrappers: frozenset[str] = frozenset()
    choices: frozenset[str] = frozenset()
    items: Mapping[str, str] = field(default_factory=dict)
    literals: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    imports: frozenset[str] = frozenset()
    keywords: frozenset[tuple[str, str]] = frozenset()
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    functions: Mapping[str, str] = field(default_factory=dict)
    returns: frozenset[str] = frozenset({"return_statement"})
    sees_members: bool = False


def _binders(role: Role, places: str) -> dict[tuple[str, str], Role]:
    """Read `parent.field parent.field …`; `parent.` is a child without a field."""
    return {(parent, name): role for parent, _, name in (place.partition(".") for place in places.split())}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _pairs(text: str) -> frozenset[tuple[str, str]]:
    return frozenset((parent, name) for parent, _, name in (place.partition(".") for place in text.split()))


PYTHON = NameRules(
    names=_words("identifier"),
    binders=_binders("definition", "function_definition.name class_definition.name type_alias_statement.left")
    | _binders(
        "parameter",
        "parameters. lambda_parameters. default_parameter.name typed_default_parameter.name typed_parameter.",
    )
    | _binders(
        "variable",
        """assignment.left augmented_assignment.left named_expression.name for_statement.left for_in_clause.left
        as_pattern.alias as_pattern. with_item.alias except_clause.alias splat_pattern. case_pattern.
        keyword_pattern.""",
    )
    | _binders("import", "aliased_import.alias import_statement.name import_from_statement.name")
    | _binders("outer", "global_statement. nonlocal_statement."),
    patterns={
        "pattern_list": (),
        "tuple_pattern": (),
        "list_pattern": (),
        "list_splat_pattern": (),
        "dictionary_splat_pattern": (),
        "as_pattern_target": (),
        "tuple": (),
        "list": (),
    },
    scopes={
        "module": "module",
        "class_definition": "class",
        "function_definition": "function",
        "lambda": "function",
        "list_comprehension": "block",
        "set_comprehension": "block",
        "dictionary_comprehension": "block",
        "generator_expression": "block",
    },
    outside=_pairs(
        """function_definition.name function_definition.return_type class_definition.name class_definition.superclasses
        default_parameter.value typed_default_parameter.value typed_default_parameter.type typed_parameter.type"""
    ),
    hoisted=_words("named_expression"),
    members={"attribute": ("object", "attribute")},
    calls={"call": "function"},
    values={
        "assignment": ("right", "type"),
        "named_expression": ("value", ""),
        "for_statement": ("right", ""),
        "for_in_clause": ("right", ""),
        "typed_parameter": ("", "type"),
        "typed_default_parameter": ("value", "type"),
        "default_parameter": ("value", ""),
        "type_alias_statement": ("right", ""),
    },
    iterations=_words("for_statement for_in_clause"),
    wrappers=_words("parenthesized_expression await type expression_statement"),
    choices=_words("conditional_expression boolean_operator binary_operator union_type"),
    items={"subscript": "value", "generic_type": ""},
    literals=_words(
        """string concatenated_string integer float true false list tuple set dictionary list_comprehension
        set_comprehension dictionary_comprehension generator_expression comparison_operator not_operator"""
    ),
    types=_words("type"),
    imports=_words("import_statement import_from_statement future_import_statement"),
    keywords=_pairs("keyword_argument.name"),
    classes={"class_definition": ("superclasses",)},
    functions={"function_definition": "return_type"},
)

_ECMASCRIPT_LITERALS = """string template_string number true false regex array object
    binary_expression"""
ECMASCRIPT = NameRules(
    names=_words(
        """identifier property_identifier private_property_identifier type_identifier shorthand_property_identifier
        shorthand_property_identifier_pattern statement_identifier"""
    ),
    binders=_binders(
        "definition",
        """function_declaration.name generator_function_declaration.name class_declaration.name class.name
        abstract_class_declaration.name interface_declaration.name type_alias_declaration.name enum_declaration.name
        method_definition.name public_field_definition.name field_definition.property property_signature.name
        method_signature.name abstract_method_signature.name function_expression.name generator_function.name
        function_signature.name internal_module.name module.name enum_body.name enum_assignment.name pair.key""",
    )
    | _binders(
        "parameter",
        """formal_parameters. required_parameter.pattern optional_parameter.pattern arrow_function.parameter
        catch_clause.parameter type_parameter.name""",
    )
    | _binders("variable", "variable_declarator.name for_in_statement.left")
    | _binders("import", "import_clause. namespace_import. import_specifier.alias import_specifier.name")
    | _binders("write", "assignment_expression.left augmented_assignment_expression.left update_expression.argument"),
    patterns={
        "object_pattern": (),
        "array_pattern": (),
        "rest_pattern": (),
        "assignment_pattern": ("left",),
        "object_assignment_pattern": ("left",),
        "pair_pattern": ("value",),
    },
    scopes={
        "program": "module",
        "class_body": "class",
        "interface_body": "class",
        "object_type": "class",
        "enum_body": "class",
        "object": "class",
        "function_declaration": "function",
        "generator_function_declaration": "function",
        "function_expression": "function",
        "generator_function": "function",
        "arrow_function": "function",
        "method_definition": "function",
        "method_signature": "function",
        "function_signature": "function",
        "function_type": "function",
        "statement_block": "block",
        "for_statement": "block",
        "for_in_statement": "block",
        "catch_clause": "block",
        "class_declaration": "block",
        "class": "block",
        "interface_declaration": "block",
        "type_alias_declaration": "block",
        "abstract_class_declaration": "block",
    },
    outside=_pairs(
        """function_declaration.name generator_function_declaration.name class_declaration.name
        abstract_class_declaration.name interface_declaration.name type_alias_declaration.name method_definition.name
        method_signature.name function_signature.name"""
    ),
    hoisted=_words("variable_declaration"),
    members={
        "member_expression": ("object", "property"),
        "nested_type_identifier": ("module", "name"),
        "nested_identifier": ("object", "property"),
    },
    calls={"call_expression": "function", "new_expression": "constructor"},
    values={
        "variable_declarator": ("value", "type"),
        "required_parameter": ("value", "type"),
        "optional_parameter": ("value", "type"),
        "public_field_definition": ("value", "type"),
        "field_definition": ("value", ""),
        "property_signature": ("", "type"),
        "assignment_expression": ("right", ""),
        "for_in_statement": ("right", ""),
        "pair": ("value", ""),
    },
    iterations=_words("for_in_statement"),
    wrappers=_words(
        "parenthesized_expression await_expression type_annotation as_expression satisfies_expression"
        " non_null_expression readonly_type parenthesized_type"
    ),
    choices=_words("ternary_expression union_type intersection_type"),
    items={"subscript_expression": "object", "generic_type": "name", "array_type": ""},
    literals=_words(_ECMASCRIPT_LITERALS),
    types=_words("type_annotation extends_type_clause implements_clause type_arguments"),
    imports=_words("import_statement"),
    classes={
        "class_declaration": ("class_heritage",),
        "abstract_class_declaration": ("class_heritage",),
        "class": ("class_heritage",),
        "interface_declaration": ("extends_type_clause",),
    },
    functions=dict.fromkeys(
        """function_declaration generator_function_declaration function_expression arrow_function method_definition
        method_signature function_signature abstract_method_signature""".split(),
        "return_type",
    ),
)

GO = NameRules(
    names=_words("identifier field_identifier type_identifier package_identifier"),
    binders=_binders(
        "definition",
        """function_declaration.name method_declaration.name type_spec.name type_alias.name field_declaration.name
        method_elem.name""",
    )
    | _binders(
        "parameter",
        "parameter_declaration.name variadic_parameter_declaration.name type_parameter_declaration.name",
    )
    | _binders(
        "variable",
        """short_var_declaration.left var_spec.name const_spec.name range_clause.left type_switch_statement.alias
        receive_statement.left""",
    )
    | _binders("import", "import_spec.name")
    | _binders("write", "assignment_statement.left inc_statement. dec_statement."),
    patterns={"expression_list": ()},
    scopes={
        "source_file": "module",
        "field_declaration_list": "class",
        "interface_type": "class",
        "function_declaration": "function",
        "method_declaration": "function",
        "func_literal": "function",
        "block": "block",
        "if_statement": "block",
        "for_statement": "block",
        "expression_switch_statement": "block",
        "type_switch_statement": "block",
        "expression_case": "block",
        "type_case": "block",
        "communication_case": "block",
        "type_spec": "block",
    },
    outside=_pairs("function_declaration.name method_declaration.name type_spec.name"),
    members={"selector_expression": ("operand", "field"), "qualified_type": ("package", "name")},
    calls={"call_expression": "function", "composite_literal": "type"},
    values={
        "short_var_declaration": ("right", ""),
        "var_spec": ("value", "type"),
        "const_spec": ("value", "type"),
        "range_clause": ("right", ""),
        "parameter_declaration": ("", "type"),
        "variadic_parameter_declaration": ("", "type"),
        "field_declaration": ("", "type"),
        "type_spec": ("type", ""),
    },
    iterations=_words("range_clause"),
    wrappers=_words("parenthesized_expression unary_expression pointer_type parenthesized_type literal_element"),
    items={"index_expression": "operand", "slice_type": "element", "array_type": "element", "generic_type": "type"},
    literals=_words(
        """interpreted_string_literal raw_string_literal int_literal float_literal rune_literal true false
        func_literal binary_expression"""
    ),
    imports=_words("import_declaration"),
    classes={"struct_type": ("field_declaration_list",), "type_spec": ("type",)},
    functions=dict.fromkeys("function_declaration method_declaration func_literal method_elem".split(), "result"),
)

JAVA = NameRules(
    names=_words("identifier type_identifier"),
    binders=_binders(
        "definition",
        """class_declaration.name interface_declaration.name enum_declaration.name record_declaration.name
        annotation_type_declaration.name method_declaration.name constructor_declaration.name enum_constant.name
        annotation_type_element_declaration.name compact_constructor_declaration.name""",
    )
    | _binders(
        "parameter",
        """formal_parameter.name catch_formal_parameter.name lambda_expression.parameters inferred_parameters.
        type_parameter. spread_parameter.""",
    )
    | _binders(
        "variable", "variable_declarator.name resource.name enhanced_for_statement.name instanceof_expression.name"
    )
    | _binders("import", "import_declaration.")
    | _binders("write", "assignment_expression.left update_expression."),
    scopes={
        "program": "module",
        "class_body": "class",
        "interface_body": "class",
        "enum_body": "class",
        "annotation_type_body": "class",
        "method_declaration": "function",
        "constructor_declaration": "function",
        "lambda_expression": "function",
        "block": "block",
        "constructor_body": "block",
        "for_statement": "block",
        "enhanced_for_statement": "block",
        "try_with_resources_statement": "block",
        "catch_clause": "block",
        "class_declaration": "block",
        "interface_declaration": "block",
        "record_declaration": "block",
        "switch_block": "block",
    },
    outside=_pairs(
        """method_declaration.name constructor_declaration.name class_declaration.name interface_declaration.name
        record_declaration.name"""
    ),
    members={
        "field_access": ("object", "field"),
        "method_invocation": ("object", "name"),
        "scoped_identifier": ("scope", "name"),
        "scoped_type_identifier": ("", ""),
        "method_reference": ("", ""),
    },
    calls={"method_invocation": "name", "object_creation_expression": "type"},
    values={
        "variable_declarator": ("value", "type"),
        "formal_parameter": ("", "type"),
        "resource": ("value", "type"),
        "enhanced_for_statement": ("", "type"),
        "spread_parameter": ("", ""),
        "instanceof_expression": ("", "right"),
    },
    wrappers=_words("parenthesized_expression annotated_type"),
    choices=_words("ternary_expression"),
    items={"array_access": "array", "array_type": "element", "generic_type": ""},
    literals=_words(
        """string_literal decimal_integer_literal hex_integer_literal decimal_floating_point_literal character_literal
        true false integral_type floating_point_type boolean_type void_type binary_expression
        lambda_expression"""
    ),
    imports=_words("import_declaration"),
    classes={
        "class_declaration": ("superclass", "interfaces"),
        "interface_declaration": ("extends_interfaces",),
        "enum_declaration": ("interfaces",),
        "record_declaration": ("interfaces",),
    },
    functions={"method_declaration": "type"},
    sees_members=True,
)

RUST = NameRules(
    names=_words("identifier field_identifier type_identifier shorthand_field_identifier"),
    binders=_binders(
        "definition",
        """function_item.name function_signature_item.name struct_item.name enum_item.name union_item.name
        enum_variant.name trait_item.name type_item.name const_item.name static_item.name mod_item.name
        macro_definition.name field_declaration.name associated_type.name""",
    )
    | _binders("parameter", "parameter.pattern closure_parameters. type_parameter.name")
    | _binders("variable", "let_declaration.pattern for_expression.pattern let_condition.pattern match_pattern.")
    | _binders("import", "use_as_clause.alias use_list. use_declaration.argument")
    | _binders("write", "assignment_expression.left compound_assignment_expr.left"),
    patterns={
        "tuple_pattern": (),
        "tuple_struct_pattern": ("",),
        "ref_pattern": (),
        "mut_pattern": (),
        "slice_pattern": (),
        "reference_pattern": (),
        "struct_pattern": (),
        "field_pattern": ("pattern", "name"),
        "captured_pattern": (),
        "or_pattern": (),
    },
    scopes={
        "source_file": "module",
        "mod_item": "module",
        "field_declaration_list": "class",
        "declaration_list": "class",
        "enum_variant_list": "class",
        "function_item": "function",
        "function_signature_item": "function",
        "closure_expression": "function",
        "block": "block",
        "for_expression": "block",
        "match_arm": "block",
        "if_expression": "block",
        "while_expression": "block",
        "struct_item": "block",
        "impl_item": "block",
        "trait_item": "block",
    },
    outside=_pairs("function_item.name function_signature_item.name struct_item.name trait_item.name mod_item.name"),
    members={
        "field_expression": ("value", "field"),
        "scoped_identifier": ("path", "name"),
        "scoped_type_identifier": ("path", "name"),
    },
    calls={"call_expression": "function", "macro_invocation": "macro", "struct_expression": "name"},
    values={
        "let_declaration": ("value", "type"),
        "parameter": ("", "type"),
        "field_declaration": ("", "type"),
        "const_item": ("value", "type"),
        "static_item": ("value", "type"),
        "for_expression": ("value", ""),
    },
    iterations=_words("for_expression"),
    wrappers=_words("parenthesized_expression reference_type reference_expression try_expression await_expression"),
    items={"index_expression": "", "generic_type": "type", "generic_type_with_turbofish": "type"},
    literals=_words(
        """string_literal raw_string_literal integer_literal float_literal char_literal boolean_literal
        array_expression tuple_expression closure_expression binary_expression primitive_type"""
    ),
    imports=_words("use_declaration extern_crate_declaration"),
    classes={"impl_item": ("trait",), "trait_item": ("bounds",)},
    functions=dict.fromkeys("function_item function_signature_item".split(), "return_type"),
    returns=_words("return_expression"),
)

C_FAMILY = NameRules(
    names=_words(
        "identifier field_identifier type_identifier namespace_identifier destructor_name statement_identifier"
    ),
    binders=_binders(
        "definition",
        """function_declarator.declarator preproc_def.name preproc_function_def.name struct_specifier.name
        class_specifier.name union_specifier.name enum_specifier.name enumerator.name type_definition.declarator
        field_declaration.declarator namespace_definition.name alias_declaration.name""",
    )
    | _binders("parameter", "parameter_declaration.declarator optional_parameter_declaration.declarator")
    | _binders("variable", "declaration.declarator init_declarator.declarator for_range_loop.declarator")
    | _binders("write", "assignment_expression.left update_expression.argument"),
    patterns={
        "pointer_declarator": ("declarator",),
        "reference_declarator": (),
        "array_declarator": ("declarator",),
        "parenthesized_declarator": (),
    },
    scopes={
        "translation_unit": "module",
        "field_declaration_list": "class",
        "function_definition": "function",
        "lambda_expression": "function",
        "compound_statement": "block",
        "for_statement": "block",
        "for_range_loop": "block",
    },
    outside=_pairs("function_declarator.declarator"),
    members={"field_expression": ("argument", "field"), "qualified_identifier": ("scope", "name")},
    calls={"call_expression": "function", "new_expression": "type"},
    values={"init_declarator": ("value", ""), "parameter_declaration": ("", "type")},
    wrappers=_words("parenthesized_expression pointer_expression"),
    items={"subscript_expression": "argument", "template_type": "name"},
    literals=_words("string_literal number_literal char_literal true false null primitive_type binary_expression"),
    imports=_words("preproc_include using_declaration"),
    classes={"class_specifier": ("base_class_clause",), "struct_specifier": ("base_class_clause",)},
    functions={"function_definition": "type"},
    sees_members=True,
)

CSHARP = NameRules(
    names=_words("identifier"),
    binders=_binders(
        "definition",
        """class_declaration.name interface_declaration.name struct_declaration.name enum_declaration.name
        record_declaration.name method_declaration.name constructor_declaration.name property_declaration.name
        enum_member_declaration.name delegate_declaration.name event_declaration.name local_function_statement.name""",
    )
    | _binders("parameter", "parameter.name catch_declaration.name")
    | _binders("variable", "variable_declarator.name foreach_statement.left declaration_pattern.name")
    | _binders("import", "using_directive.name using_directive.")
    | _binders("write", "assignment_expression.left"),
    scopes={
        "compilation_unit": "module",
        "declaration_list": "class",
        "enum_member_declaration_list": "class",
        "method_declaration": "function",
        "constructor_declaration": "function",
        "local_function_statement": "function",
        "lambda_expression": "function",
        "block": "block",
        "for_statement": "block",
        "foreach_statement": "block",
    },
    outside=_pairs("method_declaration.name constructor_declaration.name local_function_statement.name"),
    members={"member_access_expression": ("expression", "name"), "qualified_name": ("qualifier", "name")},
    calls={"invocation_expression": "function", "object_creation_expression": "type"},
    values={"parameter": ("", "type"), "property_declaration": ("", "type")},
    literals=_words("string_literal integer_literal real_literal boolean_literal null_literal predefined_type"),
    imports=_words("using_directive"),
    classes={"class_declaration": ("base_list",), "interface_declaration": ("base_list",)},
    functions={"method_declaration": "returns"},
    sees_members=True,
)

PHP = NameRules(
    names=_words("name"),
    binders=_binders(
        "definition",
        """function_definition.name method_declaration.name class_declaration.name interface_declaration.name
        trait_declaration.name enum_declaration.name const_element. enum_case.name property_element.name""",
    )
    | _binders("parameter", "simple_parameter.name variadic_parameter.name property_promotion_parameter.name")
    | _binders("variable", "assignment_expression.left foreach_statement. catch_clause.name")
    | _binders("import", "namespace_use_clause. namespace_use_clause.alias"),
    patterns={"variable_name": ()},
    scopes={
        "program": "module",
        "declaration_list": "class",
        "function_definition": "function",
        "method_declaration": "function",
        "anonymous_function": "function",
        "arrow_function": "function",
    },
    outside=_pairs("function_definition.name method_declaration.name"),
    members={
        "member_access_expression": ("object", "name"),
        "member_call_expression": ("object", "name"),
        "scoped_call_expression": ("scope", "name"),
        "class_constant_access_expression": ("", ""),
    },
    calls={
        "function_call_expression": "function",
        "member_call_expression": "name",
        "scoped_call_expression": "name",
        "object_creation_expression": "",
    },
    values={"assignment_expression": ("right", ""), "simple_parameter": ("", "type")},
    wrappers=_words("parenthesized_expression named_type optional_type variable_name"),
    literals=_words("string encapsed_string integer float boolean null array_creation_expression primitive_type"),
    imports=_words("namespace_use_declaration"),
    classes={"class_declaration": ("base_clause", "class_interface_clause")},
    functions=dict.fromkeys("function_definition method_declaration".split(), "return_type"),
)

RUBY = NameRules(
    names=_words("identifier constant instance_variable class_variable global_variable"),
    binders=_binders("definition", "method.name singleton_method.name class.name module.name")
    | _binders(
        "parameter",
        """method_parameters. block_parameters. lambda_parameters. optional_parameter.name keyword_parameter.name
        splat_parameter.name hash_splat_parameter.name block_parameter.name""",
    )
    | _binders("variable", "assignment.left exception_variable. for.pattern"),
    patterns={"left_assignment_list": (), "destructured_parameter": ()},
    scopes={
        "program": "module",
        "class": "class",
        "module": "class",
        "singleton_class": "class",
        "method": "function",
        "singleton_method": "function",
        "block": "block",
        "do_block": "block",
        "lambda": "function",
    },
    outside=_pairs("method.name singleton_method.name class.name class.superclass module.name"),
    members={"call": ("receiver", "method"), "scope_resolution": ("scope", "name")},
    calls={"call": "method"},
    values={"assignment": ("right", "")},
    literals=_words("string integer float true false nil array hash simple_symbol regex"),
    classes={"class": ("superclass",)},
    functions={"method": "", "singleton_method": ""},
    returns=_words("return"),
    sees_members=True,
)

BASH = NameRules(
    names=_words("word variable_name"),
    binders=_binders("definition", "function_definition.name") | _binders("variable", "variable_assignment.name"),
    scopes={"program": "module"},
    calls={"command": "name"},
    patterns={"command_name": ()},
    returns=frozenset(),
)

RULES: dict[str, NameRules] = {
    "python": PYTHON,
    "javascript": ECMASCRIPT,
    "typescript": ECMASCRIPT,
    "tsx": ECMASCRIPT,
    "go": GO,
    "java": JAVA,
    "rust": RUST,
    "c": C_FAMILY,
    "cpp": C_FAMILY,
    "csharp": CSHARP,
    "php": PHP,
    "ruby": RUBY,
    "bash": BASH,
}
