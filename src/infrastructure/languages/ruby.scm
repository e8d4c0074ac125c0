; Definitions, comments and requires of Ruby. Modules, classes and what `Struct.new` and its like build are scopes.

(class
  name: [(constant) (scope_resolution)] @name
  body: (_)? @body) @definition.class

(module
  name: [(constant) (scope_resolution)] @name
  body: (_)? @body) @definition.module

(program (method name: (_) @name body: (_)? @body) @definition.function)
(method name: (_) @name body: (_)? @body) @definition.method
(singleton_method name: (_) @name body: (_)? @body) @definition.method

(call
  method: (identifier) @_define
  arguments: (argument_list . (simple_symbol) @name)
  block: (_ body: (_)? @body)
  (#any-of? @_define "define_method" "define_singleton_method")) @definition.method

; Point = Struct.new(:x) do ... end
(assignment
  left: (constant) @name
  right: (call
    receiver: (constant) @_maker
    method: (identifier) @_new
    block: (_ body: (_)? @body))
  (#any-of? @_maker "Struct" "Class" "Data" "Module")
  (#any-of? @_new "new" "define")) @definition.class

(assignment left: (constant) @name) @definition.constant
(operator_assignment left: (constant) @name) @definition.constant

(comment) @comment

(call
  !receiver
  method: (identifier) @_require
  (#any-of? @_require "require" "require_relative" "load" "autoload")) @import
