-- What the server says of itself, as INFO prints it.
--
-- KEYS  1 any key of ours: in a cluster the node that holds it answers
-- Reply the text; what it will not say is left out.
local text = ''
for _, section in ipairs({ 'server', 'memory', 'replication' }) do
  local ok, info = pcall(redis.call, 'INFO', section)
  if ok and type(info) == 'string' then text = text .. info end
end
return text
