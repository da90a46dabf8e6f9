-- Takes documents that have changed more often than what is known of them. So one script saves and tells again what was
-- lost: whoever saves says one change more than it knows of, and is told of those it did not know.
--
-- KEYS  1 records by name  2 names in the order of their changes
-- ARGV  1 how many documents there may be (0: what follows is told again)  2 how many removed ones are remembered; then
--       names and records
-- Reply for each: '+' taken, '-' there are too many, or the record that is kept instead.
local most, most_removed = tonumber(ARGV[1]), tonumber(ARGV[2])
local there, changes = totals(KEYS[1])
local at, replies = latest(KEYS[2]), {}

local function note_change(id)
  at = at + 1
  redis.call('ZADD', KEYS[2], at, id)
end

for i = 3, #ARGV, 2 do
  local id, told = ARGV[i], ARGV[i + 1]
  local known = redis.call('HGET', KEYS[1], id)
  local reply = '+'
  if known and changes_of(known) >= changes_of(told) then
    if most > 0 or known ~= told then reply = known end
    if not redis.call('ZSCORE', KEYS[2], id) then note_change(id) end
  elseif is_there(told) and not is_there(known) and most > 0 and there >= most then
    reply = '-'
  else
    redis.call('HSET', KEYS[1], id, told)
    note_change(id)
    if is_there(known) then there, changes = there - 1, changes - changes_of(known) end
    if is_there(told) then there, changes = there + 1, changes + changes_of(told) end
  end
  replies[#replies + 1] = reply
end
redis.call('HSET', KEYS[1], '', struct.pack('<dd', there, changes))
local above = redis.call('ZCARD', KEYS[2]) - there - most_removed
if above > 0 then
  for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, above + there)) do
    if above > 0 and redis.call('HSTRLEN', KEYS[1], id) <= RECORD_HEAD_BYTES then
      redis.call('HDEL', KEYS[1], id)
      redis.call('ZREM', KEYS[2], id)
      above = above - 1
    end
  end
end
return replies
