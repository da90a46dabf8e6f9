-- Gives a session what it wants, unless it was given something else before: see sessions.rs.
--
-- What it was given is packed: d until when it keeps it, in ms, then what.
--
-- KEYS  1 what the session was given
-- ARGV  1 what it wants  2 for how long in ms  3 what it was given before and may not keep, where there is such a thing
-- Reply now in ms, until when it keeps what it has, what that is.
local now = clock()
local packed = redis.call('GET', KEYS[1])
if packed then
  local till, given = struct.unpack('<d', packed), string.sub(packed, 9)
  if now < till and given ~= ARGV[3] then return { now, till, given } end
end
local till = now + ARGV[2]
redis.call('SET', KEYS[1], struct.pack('<d', till) .. ARGV[1], 'PX', ARGV[2])
return { now, till, ARGV[1] }
