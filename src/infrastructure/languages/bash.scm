; Functions, constants, comments and sourced files of shell scripts.

(function_definition name: (word) @name body: (_) @body) @definition.function

(program
  (declaration_command
    "readonly"
    [(variable_assignment name: (variable_name) @name) (variable_name) @name]) @definition.constant)
(program
  (declaration_command
    ["declare" "typeset"]
    (word) @_flags
    (variable_assignment name: (variable_name) @name)
    (#match? @_flags "^-[a-zA-Z]*r")) @definition.constant)

(comment) @comment

; load is the word of Bats, whose files are Bash.
(command
  name: (command_name (word) @_source)
  (#any-of? @_source "source" "." "load")) @import
