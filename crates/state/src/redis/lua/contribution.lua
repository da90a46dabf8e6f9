-- What each replica has added to a window: field replica of a hash, packed
--
--   d requests granted since it started   d input   d output   I4 its requests in flight
--
-- A replica says with every call what it believes stands here: where the server has less, it has
-- forgotten grants; where the replica has more, they were made while it was cut off.
local CONTRIBUTION = '<dddI4'
-- What a replica says of itself: granted (3), granted as acknowledged by this server, granted in the last
-- minute (3), in flight.
local STAKE, STAKE_BYTES = '<dddddddI4', 60

-- Merges what the replica says at `at` of its stakes into the window. False when the server has forgotten something that others may have
-- lost as well.
local function join(w, key, replica, stakes, at, may_be_lost)
  local granted, input, output, known, recent, recent_input, recent_output, in_flight = unpack(STAKE, stakes, at)
  local stored, stored_input, stored_output, stored_in_flight = 0, 0, 0, 0
  local packed = not w.is_new and redis.call('HGET', key, replica)
  if packed then
    stored, stored_input, stored_output, stored_in_flight = unpack(CONTRIBUTION, packed)
  end
  if not may_be_lost and ((w.is_new and recent > 0) or (not w.is_new and stored < known)) then return false end
  -- Only what would still count. A new window knows nobody: all of the last minute counts.
  local lost = min(max(granted - stored, 0), recent)
  local lost_input = min(max(input - stored_input, 0), recent_input)
  local lost_output = min(max(output - stored_output, 0), recent_output)
  if lost > 0 or lost_input > 0 or lost_output > 0 then add(w, w.second, lost, lost_input, lost_output) end
  if in_flight ~= stored_in_flight or granted > stored then w.dirty = true end
  w.in_flight = w.in_flight + in_flight - stored_in_flight
  w.mine = { max(granted, stored), max(input, stored_input), max(output, stored_output), in_flight }
  return true
end

local function window_store(key, contributions, replica, w, now)
  if w.is_new then redis.call('DEL', contributions) end
  local keeps = window_write(key, w, now)
  local mine = w.mine
  local added = redis.call('HSET', contributions, replica, pack(CONTRIBUTION, mine[1], mine[2], mine[3], mine[4]))
  -- The first of a hash makes it anew, also after the last one was reaped.
  if keeps or added == 1 then redis.call('PEXPIRE', contributions, KEPT) end
end

-- What the replica reads back: the window, and its own contribution: d requests  d input  d output.
local function contribution_reply(w)
  local mine = w.mine
  return pack(WINDOW_REPLY .. 'ddd', w.second, w.requests, w.input, w.output, w.in_flight, mine[1], mine[2], mine[3])
end
