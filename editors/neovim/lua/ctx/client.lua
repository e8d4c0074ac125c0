-- The connection: which server a buffer belongs to, what that server says of itself, and asking it to run a command.
-- Neovim's interface changed on the way; every difference between its versions is in this file.
local M = {}

local IS_0_11 = vim.fn.has("nvim-0.11") == 1
local clients_by_root = {}
local status_by_client = {}

function M.complain(text)
  vim.notify("ctx: " .. text, vim.log.levels.WARN)
end

-- A segment as ctx finds it: the nearest folder upwards that has _ctx/ or .git, else the file's own.
function M.segment_of(path)
  local folder = vim.fn.fnamemodify(path, ":p:h")
  local at = folder
  while true do
    if vim.fn.isdirectory(at .. "/_ctx") == 1 or vim.loop.fs_stat(at .. "/.git") then
      return at
    end
    local parent = vim.fn.fnamemodify(at, ":h")
    if parent == at then
      return folder
    end
    at = parent
  end
end

local function is_living(id)
  local found = id and vim.lsp.get_client_by_id(id)
  if not found then
    return false
  end
  local is_stopped = IS_0_11 and found:is_stopped() or (not IS_0_11 and found.is_stopped())
  return not is_stopped
end

local function call(client, name, ...)
  if IS_0_11 then
    return client[name](client, ...)
  end
  return client[name](...)
end

local function refresh_code_lenses(buffer)
  if vim.lsp.codelens.enable then
    vim.lsp.codelens.enable(true, { bufnr = buffer })
  elseif vim.api.nvim_get_current_buf() == buffer then
    pcall(vim.lsp.codelens.refresh, IS_0_11 and { bufnr = buffer } or nil)
  end
end

local function on_attach(options)
  return function(client, buffer)
    if options.show_code_lenses and client.server_capabilities.codeLensProvider then
      vim.api.nvim_create_autocmd({ "BufEnter", "InsertLeave", "BufWritePost" }, {
        group = vim.api.nvim_create_augroup("ctx_lenses_" .. buffer, { clear = true }),
        buffer = buffer,
        callback = function() refresh_code_lenses(buffer) end,
      })
      refresh_code_lenses(buffer)
    end
    if options.on_attach then
      options.on_attach(client, buffer)
    end
  end
end

local function configuration(root, options)
  return {
    name = "ctx",
    cmd = options.cmd,
    root_dir = root,
    workspace_folders = { { uri = vim.uri_from_fname(root), name = vim.fn.fnamemodify(root, ":t") } },
    init_options = options.features,
    on_attach = on_attach(options),
    handlers = {
      ["ctx/status"] = function(_, status, context)
        status_by_client[context.client_id] = status
        vim.cmd("redrawstatus!")
        vim.api.nvim_exec_autocmds("User", { pattern = "CtxStatus", modeline = false })
        return vim.NIL
      end,
    },
    on_exit = function(code, signal, id)
      status_by_client[id] = nil
      if clients_by_root[root] == id then
        clients_by_root[root] = nil
      end
      if code ~= 0 and signal == 0 then
        vim.schedule(function() M.complain("the server ended with exit code " .. code .. "; :CtxRestart starts it anew") end)
      end
    end,
  }
end

local function start(config, buffer)
  if vim.lsp.start then
    return vim.lsp.start(config, { bufnr = buffer })
  end
  return vim.lsp.start_client(config)
end

local warned = {}

-- Connect a buffer with its segment's server, which is started for the first one.
function M.attach(buffer, options)
  local path = vim.api.nvim_buf_get_name(buffer)
  if path == "" or vim.bo[buffer].buftype ~= "" or path:match("^%w+://") then
    return
  end
  if vim.fn.executable(options.cmd[1]) == 0 then
    if not warned[options.cmd[1]] then
      warned[options.cmd[1]] = true
      M.complain(options.cmd[1] .. " was not found; install it (pipx install ctx-code) or set `cmd` in require('ctx').setup")
    end
    return
  end
  local root = M.segment_of(path)
  if not is_living(clients_by_root[root]) then
    clients_by_root[root] = start(configuration(root, options), buffer)
  end
  if clients_by_root[root] and not vim.lsp.buf_is_attached(buffer, clients_by_root[root]) then
    vim.lsp.buf_attach_client(buffer, clients_by_root[root])
  end
end

function M.root_of_current()
  local path = vim.api.nvim_buf_get_name(0)
  return M.segment_of(path ~= "" and path or vim.fn.getcwd() .. "/x")
end

-- The server for a command: the current buffer's, else any that lives (from a quickfix or scratch window).
local function current_client()
  local id = clients_by_root[M.root_of_current()]
  if is_living(id) then
    return vim.lsp.get_client_by_id(id), M.root_of_current()
  end
  for root, other in pairs(clients_by_root) do
    if is_living(other) then
      return vim.lsp.get_client_by_id(other), root
    end
  end
end

-- Have the server run a command; `show(document, root)` gets what it answers.
function M.execute(command, argument, show)
  local client, root = current_client()
  if not client then
    return M.complain("no server runs here; open a source file first")
  end
  -- An empty table would be sent as a list.
  local arguments = { next(argument) and argument or vim.empty_dict() }
  call(client, "request", "workspace/executeCommand", { command = command, arguments = arguments }, function(err, document)
    if err then
      return M.complain(err.message)
    end
    if document and document ~= vim.NIL then
      show(document, root)
    end
  end, vim.api.nvim_get_current_buf())
end

-- Code lenses name the server's commands; their answers are shown as those of the commands here.
function M.register_code_lens_commands(shows)
  for name, show in pairs(shows) do
    vim.lsp.commands[name] = function(command)
      M.execute(name, (command.arguments or {})[1] or {}, show)
    end
  end
end

-- Language servers and host anew; a server that is gone is started.
function M.restart(options)
  local client = current_client()
  if client then
    return M.execute("ctx.restart", {}, function() vim.notify("ctx: started anew") end)
  end
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buffer) and vim.tbl_contains(options.filetypes, vim.bo[buffer].filetype) then
      M.attach(buffer, options)
    end
  end
end

local WORDS = { ready = "READY", fallback = "fallback", indexing = "indexing", warming = "warming", alone = "alone" }

function M.status_text(buffer)
  local path = vim.api.nvim_buf_get_name(buffer)
  local id = path ~= "" and clients_by_root[M.segment_of(path)]
  if not is_living(id) then
    return ""
  end
  local status = status_by_client[id]
  if not status then
    return "ctx …"
  end
  local words = { "ctx", WORDS[status.state] or status.state }
  if type(status.server) == "string" and status.server ~= "" then
    table.insert(words, status.server)
  end
  if type(status.tokens) == "number" and status.tokens > 0 then
    table.insert(words, string.format("%dt", status.tokens))
  end
  return table.concat(words, " ")
end

return M
