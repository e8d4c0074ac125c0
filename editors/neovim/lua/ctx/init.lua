-- ctx in Neovim (0.7 or later): one `ctx lsp` per repository, the commands :CtxSearch, :CtxGet, :CtxMap,
-- :CtxTelemetry and :CtxRestart, and a word for the statusline. docs/editors.md tells how to install it.
local client = require("ctx.client")
local results = require("ctx.results")

local M = {}

-- Languages whose definitions ctx parses, and Markdown. "*" in `filetypes` means every file.
local FILETYPES = {
  "python", "javascript", "javascriptreact", "typescript", "typescriptreact", "go", "rust", "java", "c", "cpp",
  "ruby", "php", "cs", "sh", "markdown",
}

local defaults = {
  cmd = { "ctx", "lsp" },
  filetypes = FILETYPES,
  -- What the server offers; false leaves it to another server.
  features = {
    documentSymbol = true,
    hover = true,
    definition = true,
    references = true,
    workspaceSymbol = true,
    codeLens = true,
  },
  show_code_lenses = true,
  open_quickfix = true,
  on_attach = nil,
}

local MODES = { "skeleton", "excerpt", "raw" }

-- What stands at the cursor as ctx spells a place: path:line, the path relative to the segment; nil where no file is.
local function place_at_cursor(root)
  if vim.bo.buftype ~= "" then
    return nil
  end
  local name = vim.api.nvim_buf_get_name(0)
  return string.format("%s:%d", results.relative(name, root), vim.api.nvim_win_get_cursor(0)[1])
end

-- `:CtxGet raw src/cart.py#Cart` has the mode in front; without a target it is what the cursor is in.
local function get_arguments(words, root)
  local mode
  if vim.tbl_contains(MODES, words[1]) then
    mode = table.remove(words, 1)
  end
  return { targets = #words > 0 and words or { place_at_cursor(root) }, mode = mode }
end

-- Each answers with the document of `ctx <command> --json`; none waits for it.
function M.search(query)
  client.execute("ctx.search", { query = query }, function(document, root)
    results.show_hits(document, root, M.options.open_quickfix)
  end)
end

function M.get(words)
  local root = client.root_of_current()
  local arguments = get_arguments(words, root)
  if #arguments.targets == 0 then
    return client.complain("the cursor is in no file; go to one, or name what to get")
  end
  client.execute("ctx.get", arguments, results.show_texts)
end

function M.map(paths)
  client.execute("ctx.map", { paths = paths }, results.show_map)
end

function M.telemetry()
  client.execute("ctx.telemetry", {}, results.show_telemetry)
end

function M.restart()
  client.restart(M.options)
end

-- What the server last said of itself: "ctx READY basedpyright 1,204 tokens"; "" in a buffer without ctx.
function M.statusline()
  return client.status_text(vim.api.nvim_get_current_buf())
end

function M.setup(options)
  M.options = vim.tbl_deep_extend("force", defaults, options or {})
  client.register_code_lens_commands({
    ["ctx.search"] = function(document, root) results.show_hits(document, root, M.options.open_quickfix) end,
    ["ctx.refs"] = results.show_uses,
    ["ctx.get"] = results.show_texts,
    ["ctx.map"] = results.show_map,
    ["ctx.telemetry"] = results.show_telemetry,
  })
  local command = vim.api.nvim_create_user_command
  command("CtxSearch", function(given) M.search(given.args) end, { nargs = "+", desc = "ctx: find what answers" })
  command("CtxGet", function(given) M.get(given.fargs) end, {
    nargs = "*",
    desc = "ctx: the text behind an id, a place, a name or the cursor",
    complete = function(typed)
      return vim.tbl_filter(function(mode) return vim.startswith(mode, typed) end, MODES)
    end,
  })
  command("CtxMap", function(given) M.map(given.fargs) end, {
    nargs = "*", complete = "file", desc = "ctx: the ranked skeleton of the repository",
  })
  command("CtxTelemetry", M.telemetry, { nargs = 0, desc = "ctx: what it cost so far" })
  command("CtxRestart", M.restart, { nargs = 0, desc = "ctx: start server and language servers anew" })

  local group = vim.api.nvim_create_augroup("ctx", { clear = true })
  vim.api.nvim_create_autocmd("FileType", {
    group = group,
    pattern = M.options.filetypes,
    callback = function(event) client.attach(event.buf, M.options) end,
  })
  -- Buffers that were there before, as with a plugin manager that loads late.
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    local is_wanted = vim.tbl_contains(M.options.filetypes, vim.bo[buffer].filetype)
    if vim.api.nvim_buf_is_loaded(buffer) and (is_wanted or vim.tbl_contains(M.options.filetypes, "*")) then
      client.attach(buffer, M.options)
    end
  end
end

return M
