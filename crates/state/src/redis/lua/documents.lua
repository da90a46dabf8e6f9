-- Documents, removed ones included: see documents.rs and library.rs for what they mean.
--
-- A record is packed: d how often it has changed  d greatest number of a version  d number of the live one, then for
-- each version, the newest first: d number  d saved at in ms  I4 length, the text. One that was removed has none.
--
-- The records lie in a hash by name. Under the empty name stands of those that are there, rather than removed: d how
-- many  d how often they have changed in all. A sorted set says in which order they changed last.
local RECORD_HEAD_BYTES = 24

local function is_there(record)
  return record and #record > RECORD_HEAD_BYTES or false
end

local function changes_of(record)
  return (struct.unpack('<d', record))
end

-- How many are there, and how often they have changed in all.
local function totals(records)
  local packed = redis.call('HGET', records, '')
  if not packed then return 0, 0 end
  local there, changes = struct.unpack('<dd', packed)
  return there, changes
end

-- The place of the latest change in that order; 0 when there was none.
local function latest(order)
  return tonumber(redis.call('ZREVRANGE', order, 0, 0, 'WITHSCORES')[2] or 0)
end
