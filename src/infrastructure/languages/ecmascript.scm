; What JavaScript, TypeScript and TSX write alike: functions, methods, what is assigned to a name, imports.

; function f() {}, async function f() {}, function* f() {}
([
  (export_statement declaration: [
    (function_declaration name: (identifier) @name body: (_) @body)
    (generator_function_declaration name: (identifier) @name body: (_) @body)])
  (function_declaration name: (identifier) @name body: (_) @body)
  (generator_function_declaration name: (identifier) @name body: (_) @body)
] @definition.function)

; export default function () {}, export default () => {}
(export_statement
  "default" @name
  value: [
    (function_expression !name body: (_) @body)
    (generator_function !name body: (_) @body)
    (arrow_function body: (_) @body)]) @definition.function

(export_statement
  "default"
  value: [
    (function_expression name: (identifier) @name body: (_) @body)
    (generator_function name: (identifier) @name body: (_) @body)]) @definition.function

(export_statement
  "default" @name
  value: (class !name body: (_) @body)) @definition.class

; class { m() {} }, { m() {} }, { m: function () {} }, { m: () => {} }
(method_definition
  name: [
    (property_identifier) @name
    (private_property_identifier) @name
    (computed_property_name [
      (identifier) @name
      (string (string_fragment) @name)
      (member_expression property: (property_identifier) @name)])
    (string (string_fragment) @name)]
  body: (_) @body) @definition.method

(pair
  key: [(property_identifier) @name (string (string_fragment) @name)]
  value: [
    (function_expression body: (_) @body)
    (generator_function body: (_) @body)
    (arrow_function body: (_) @body)]) @definition.method

; const f = () => {}, let f = function () {}, const F = memo(() => {}), const C = class {}
([
  (export_statement declaration: (lexical_declaration
    (variable_declarator
      name: (identifier) @name
      value: [
        (function_expression body: (_) @body)
        (generator_function body: (_) @body)
        (arrow_function body: (_) @body)])))
  (lexical_declaration
    (variable_declarator
      name: (identifier) @name
      value: [
        (function_expression body: (_) @body)
        (generator_function body: (_) @body)
        (arrow_function body: (_) @body)]))
  (variable_declaration
    (variable_declarator
      name: (identifier) @name
      value: [
        (function_expression body: (_) @body)
        (generator_function body: (_) @body)
        (arrow_function body: (_) @body)]))
] @definition.function)

([
  (program (export_statement declaration: (lexical_declaration
    (variable_declarator
      name: (identifier) @name
      value: (call_expression
        function: (identifier)
        arguments: (arguments . [
          (function_expression body: (_) @body)
          (arrow_function body: (_) @body)]))))) @definition.function)
  (program (lexical_declaration
    (variable_declarator
      name: (identifier) @name
      value: (call_expression
        function: (identifier)
        arguments: (arguments . [
          (function_expression body: (_) @body)
          (arrow_function body: (_) @body)])))) @definition.function)
])

([
  (export_statement declaration: (lexical_declaration
    (variable_declarator name: (identifier) @name value: (class body: (_) @body))))
  (lexical_declaration
    (variable_declarator name: (identifier) @name value: (class body: (_) @body)))
  (variable_declaration
    (variable_declarator name: (identifier) @name value: (class body: (_) @body)))
] @definition.class)

; const api = { get() {}, put: () => {} }: an object that holds functions is the scope of their names
([
  (program (export_statement declaration: (lexical_declaration
    (variable_declarator
      name: (identifier) @name
      value: (object [
        (method_definition)
        (pair value: [(function_expression) (generator_function) (arrow_function)])]) @body))) @definition.object)
  (program (lexical_declaration
    (variable_declarator
      name: (identifier) @name
      value: (object [
        (method_definition)
        (pair value: [(function_expression) (generator_function) (arrow_function)])]) @body)) @definition.object)
  (program (variable_declaration
    (variable_declarator
      name: (identifier) @name
      value: (object [
        (method_definition)
        (pair value: [(function_expression) (generator_function) (arrow_function)])]) @body)) @definition.object)
])

; module.exports = function f() {}
([
  (expression_statement (assignment_expression
    left: (member_expression
      object: (identifier) @_module
      property: (property_identifier) @_exports)
    right: [
      (function_expression name: (identifier) @name body: (_) @body)
      (generator_function name: (identifier) @name body: (_) @body)]))
  (assignment_expression
    left: (member_expression
      object: (identifier) @_module
      property: (property_identifier) @_exports)
    right: [
      (function_expression name: (identifier) @name body: (_) @body)
      (generator_function name: (identifier) @name body: (_) @body)])
] @definition.function
  (#eq? @_module "module")
  (#eq? @_exports "exports"))

; module.exports = () => {}
([
  (expression_statement (assignment_expression
    left: (member_expression
      object: (identifier) @_module
      property: (property_identifier) @name)
    right: [
      (function_expression !name body: (_) @body)
      (generator_function !name body: (_) @body)
      (arrow_function body: (_) @body)]))
  (assignment_expression
    left: (member_expression
      object: (identifier) @_module
      property: (property_identifier) @name)
    right: [
      (function_expression !name body: (_) @body)
      (generator_function !name body: (_) @body)
      (arrow_function body: (_) @body)])
] @definition.function
  (#eq? @_module "module")
  (#eq? @name "exports"))

; exports.f = function () {}, module.exports.f = () => {}
([
  (expression_statement (assignment_expression
    left: (member_expression object: (_) @_exports property: (property_identifier) @name)
    right: [
      (function_expression body: (_) @body)
      (generator_function body: (_) @body)
      (arrow_function body: (_) @body)]))
  (assignment_expression
    left: (member_expression object: (_) @_exports property: (property_identifier) @name)
    right: [
      (function_expression body: (_) @body)
      (generator_function body: (_) @body)
      (arrow_function body: (_) @body)])
] @definition.function
  (#any-of? @_exports "exports" "module.exports"))

; Foo.prototype.bar = function () {}
([
  (expression_statement (assignment_expression
    left: (member_expression
      object: (member_expression object: (_) @scope property: (property_identifier) @_prototype)
      property: (property_identifier) @name)
    right: [
      (function_expression body: (_) @body)
      (generator_function body: (_) @body)
      (arrow_function body: (_) @body)]))
  (assignment_expression
    left: (member_expression
      object: (member_expression object: (_) @scope property: (property_identifier) @_prototype)
      property: (property_identifier) @name)
    right: [
      (function_expression body: (_) @body)
      (generator_function body: (_) @body)
      (arrow_function body: (_) @body)])
] @definition.method
  (#eq? @_prototype "prototype"))

; Foo.prototype = { bar: function () {} }
([
  (expression_statement (assignment_expression
    left: (member_expression object: (_) @name property: (property_identifier) @_prototype)
    right: (object [
      (method_definition)
      (pair value: [(function_expression) (generator_function) (arrow_function)])]) @body))
] @definition.object
  (#eq? @_prototype "prototype"))

; this.f = function () {}
([
  (expression_statement (assignment_expression
    left: (member_expression object: (this) property: (property_identifier) @name)
    right: [
      (function_expression body: (_) @body)
      (generator_function body: (_) @body)
      (arrow_function body: (_) @body)]))
] @definition.method)

; app.use = function use() {}
([
  (expression_statement (assignment_expression
    left: (member_expression
      object: [(identifier) (member_expression)] @scope
      property: (property_identifier) @name)
    right: [
      (function_expression body: (_) @body)
      (generator_function body: (_) @body)
      (arrow_function body: (_) @body)]))
  (assignment_expression
    left: (member_expression
      object: [(identifier) (member_expression)] @scope
      property: (property_identifier) @name)
    right: [
      (function_expression body: (_) @body)
      (generator_function body: (_) @body)
      (arrow_function body: (_) @body)])
] @definition.method
  (#not-match? @scope "^(module|exports|module\\.exports|.*\\.prototype)$"))

; let f; f = function () {}
(expression_statement
  (assignment_expression
    left: (identifier) @name
    right: [
      (function_expression body: (_) @body)
      (generator_function body: (_) @body)
      (arrow_function body: (_) @body)])) @definition.function

; return function f() {}, on("event", function f() {})
(return_statement (function_expression name: (identifier) @name body: (_) @body) @definition.function)
(arguments (function_expression name: (identifier) @name body: (_) @body) @definition.function)

; const X = 1 at the top level
(program
  (export_statement
    declaration: (lexical_declaration
      kind: "const"
      (variable_declarator name: (identifier) @name))) @definition.constant)

(program
  (lexical_declaration
    kind: "const"
    (variable_declarator name: (identifier) @name)) @definition.constant)

(decorator) @decorator

(comment) @comment

(import_statement) @import
(import_statement (import_clause (identifier) @bound)) @import
(import_statement (import_clause (namespace_import (identifier) @bound))) @import
(import_statement (import_clause (named_imports (import_specifier !alias name: (identifier) @bound)))) @import
(import_statement (import_clause (named_imports (import_specifier alias: (identifier) @bound)))) @import

; The names apart, here and for destructuring below: a pattern that waits for what is behind each of n names takes
; n * n * n steps, 14 s for 800 of them.
(export_statement source: (_)) @import
(export_specifier !alias name: (_) @bound)
(export_specifier alias: (_) @bound)

; const x = require("x"), z = require("z").z, w = require("w")()
([
  (lexical_declaration
    (variable_declarator
      name: (identifier) @bound
      value: [
        (call_expression function: (identifier) @_require)
        (call_expression function: (call_expression function: (identifier) @_require))
        (member_expression object: (call_expression function: (identifier) @_require))]))
  (variable_declaration
    (variable_declarator
      name: (identifier) @bound
      value: [
        (call_expression function: (identifier) @_require)
        (call_expression function: (call_expression function: (identifier) @_require))
        (member_expression object: (call_expression function: (identifier) @_require))]))
] @import
  (#eq? @_require "require"))

; const x = await import("x")
([
  (lexical_declaration
    (variable_declarator
      name: (identifier) @bound
      value: (await_expression (call_expression function: (import)))))
  (variable_declaration
    (variable_declarator
      name: (identifier) @bound
      value: (await_expression (call_expression function: (import)))))
] @import)

; const { y } = require("y"), { z } = await import("z")
([
  (lexical_declaration
    (variable_declarator
      name: (object_pattern)
      value: [
        (call_expression function: (identifier) @_require)
        (call_expression function: (call_expression function: (identifier) @_require))
        (member_expression object: (call_expression function: (identifier) @_require))]))
  (variable_declaration
    (variable_declarator
      name: (object_pattern)
      value: [
        (call_expression function: (identifier) @_require)
        (call_expression function: (call_expression function: (identifier) @_require))
        (member_expression object: (call_expression function: (identifier) @_require))]))
] @import
  (#eq? @_require "require"))
([
  (lexical_declaration
    (variable_declarator
      name: (object_pattern)
      value: (await_expression (call_expression function: (import)))))
  (variable_declaration
    (variable_declarator
      name: (object_pattern)
      value: (await_expression (call_expression function: (import)))))
] @import)
(variable_declarator name: (object_pattern (shorthand_property_identifier_pattern) @bound))
(variable_declarator name: (object_pattern (pair_pattern value: (identifier) @bound)))

; module.exports = require("x"); exports.y = require("y").y; require("z")
((expression_statement [
  (assignment_expression
    left: (member_expression object: [(identifier) @_exports (member_expression object: (identifier) @_exports)])
    right: [
      (call_expression function: (identifier) @_require arguments: (arguments . (string)))
      (member_expression object: (call_expression function: (identifier) @_require arguments: (arguments . (string))))])]) @import
  (#any-of? @_exports "module" "exports")
  (#eq? @_require "require"))
((expression_statement (call_expression function: (identifier) @_require arguments: (arguments . (string)))) @import
  (#eq? @_require "require"))

; use(require("x"))
((arguments (call_expression function: (identifier) @_require arguments: (arguments . (string))) @import)
  (#eq? @_require "require"))

; import("x").then(...), () => import("y"), await import("z")
(member_expression object: (call_expression function: (import)) @import)
(arrow_function body: (call_expression function: (import)) @import)
(expression_statement (await_expression (call_expression function: (import)) @import))
