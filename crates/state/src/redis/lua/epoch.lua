-- The epoch: which life of the server's data this is. `<id>.<run id>`, or `R<until ms>:<id>.<run id>` while
-- replicas tell again what they know.

-- The epoch, and until when it is recovering (0: it is not).
local function epoch_read(key)
  local value = redis.call('GET', key)
  if not value then return nil, 0 end
  local till, id = string.match(value, '^R(%d+):(.*)$')
  if till then return id, tonumber(till) end
  return value, 0
end

-- The run id of this server, which changes when it starts anew or another one takes its place ('': it does not say).
local function run_id()
  local ok, info = pcall(redis.call, 'INFO', 'server')
  return ok and type(info) == 'string' and string.match(info, 'run_id:(%x+)') or ''
end
