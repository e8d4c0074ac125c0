-- How answers look: hits in the quickfix list, texts in a scratch window.
local M = {}

function M.relative(path, root)
  local prefix = root:gsub("/$", "") .. "/"
  return vim.startswith(path, prefix) and path:sub(#prefix + 1) or path
end

local function scratch(name, lines, filetype)
  local title = "ctx://" .. name
  local buffer = vim.fn.bufnr("^" .. vim.fn.escape(title, "[]*?{},^$\\") .. "$")
  if buffer == -1 then
    buffer = vim.api.nvim_create_buf(true, true)
    vim.api.nvim_buf_set_name(buffer, title)
  end
  vim.bo[buffer].modifiable = true
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, lines)
  vim.bo[buffer].modifiable = false
  local window = vim.fn.bufwinid(buffer)
  if window ~= -1 then
    vim.api.nvim_set_current_win(window)
  else
    vim.cmd("botright split")
    vim.api.nvim_win_set_buf(0, buffer)
  end
  -- Only colours: the filetype itself would attach servers to a text that is no file.
  vim.bo[buffer].syntax = filetype or ""
end

local function lines_of(text)
  return vim.split((text:gsub("\n$", "")), "\n", { plain = true })
end

local function note_of(document)
  return type(document.reason) == "string" and document.reason ~= "" and document.reason or "nothing was found"
end

-- A hit's line in the list: its name, what it costs in tokens, its signature.
local function hit_text(hit)
  local signature = type(hit.signature) == "string" and hit.signature or ""
  return string.format("%s %dt  %s", hit.qualname or hit.name or "", hit.tokens or 0, (signature:gsub("%s+", " ")))
end

function M.show_hits(document, root, opens)
  local items = {}
  for _, hit in ipairs(document.hits) do
    table.insert(items, { filename = root .. "/" .. hit.path, lnum = hit.start_line, col = 1, text = hit_text(hit) })
  end
  vim.fn.setqflist({}, " ", { title = "ctx search: " .. document.query, items = items })
  if #items == 0 then
    return vim.notify("ctx: " .. note_of(document))
  end
  if opens then
    vim.cmd("botright copen")
  end
end

-- The uses behind a code lens; a "?" marks one whose receiver is not known.
function M.show_uses(document, root)
  local items = {}
  for _, use in ipairs(document.references) do
    local mark = use.certain and "" or "? "
    table.insert(items, { filename = root .. "/" .. use.path, lnum = use.line, col = use.column, text = mark .. use.text })
  end
  vim.fn.setqflist({}, " ", { title = "ctx refs: " .. document.query, items = items })
  if #items == 0 then
    return vim.notify("ctx: " .. note_of(document))
  end
  vim.cmd("botright copen")
end

local SYNTAX = { cs = "cs", ts = "typescript", py = "python", rs = "rust", rb = "ruby", md = "markdown", js = "javascript" }

function M.show_texts(document)
  local lines = {}
  local syntax
  for _, item in ipairs(document.items) do
    if #lines > 0 then
      table.insert(lines, "")
    end
    table.insert(lines, string.format("== %s:%d-%d %s %dt", item.path, item.start_line, item.end_line, item.mode, item.tokens))
    vim.list_extend(lines, lines_of(item.text))
    local extension = item.path:match("%.(%w+)$") or ""
    syntax = syntax or SYNTAX[extension] or extension
  end
  if #document.items == 0 then
    return vim.notify("ctx: " .. note_of(document))
  end
  if document.truncated then
    vim.list_extend(lines, { "", string.format("(cut at %d tokens)", document.budget) })
  end
  scratch("get", lines, syntax)
end

function M.show_map(document)
  scratch("map", lines_of(document.text))
end

-- Any document as an outline: `name: value`, nested ones indented.
local function outline(value, indent, lines)
  local keys = vim.tbl_keys(value)
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, key in ipairs(keys) do
    local inner = value[key]
    if type(inner) == "table" then
      if next(inner) ~= nil then
        table.insert(lines, indent .. key)
        outline(inner, indent .. "  ", lines)
      end
    elseif inner ~= vim.NIL then
      table.insert(lines, string.format("%s%s: %s", indent, key, tostring(inner)))
    end
  end
  return lines
end

function M.show_telemetry(document)
  scratch("telemetry", outline(document, "", {}))
end

return M
