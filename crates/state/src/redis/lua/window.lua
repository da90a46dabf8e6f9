-- A window of usage, packed in one string: see ring.rs and smoother.rs for what it means.
--
--   I4 second the ring was rolled to   I4 requests   d input   d output   i4 in flight
--   d theoretical arrival of requests  d of tokens   d kept until, all three in ms
--   64 buckets of a second each: I4 requests   I4 input   I4 output
--
-- A bucket's place is its second modulo 64; the latest 61 count.
local pack, unpack, unpack_list = struct.pack, struct.unpack, unpack or table.unpack
local sub, floor, ceil, max, min = string.sub, math.floor, math.ceil, math.max, math.min
local LIVE, SLOTS, MOST = 61, 64, 4294967295
local HEAD, HEAD_BYTES = '<I4I4ddi4ddd', 52
local BUCKET, BUCKET_BYTES = '<I4I4I4', 12
-- How long a window is kept that nobody touches, in ms: longer than any request is in flight. That it is kept so
-- long is noted in it, so that the server need not be told with every write.
local KEPT, KEPT_AT_LEAST = 86400000, 82800000
-- More changed buckets than that are written in one piece.
local FEW = 6

local function empty()
  return string.rep('\0', HEAD_BYTES + SLOTS * BUCKET_BYTES)
end

-- The bucket of `second`, to be changed.
local function bucket(w, second)
  local slot = second % SLOTS
  local found = w.changed[slot]
  if not found then
    local requests, input, output = unpack(BUCKET, w.packed, HEAD_BYTES + slot * BUCKET_BYTES + 1)
    found = { requests, input, output }
    w.changed[slot] = found
  end
  return found
end

local function bucket_values(w, second)
  local slot = second % SLOTS
  local found = w.changed[slot]
  if found then return found[1], found[2], found[3] end
  local requests, input, output = unpack(BUCKET, w.packed, HEAD_BYTES + slot * BUCKET_BYTES + 1)
  return requests, input, output
end

-- Forgets what has left the window. A clock that goes back forgets nothing.
local function roll(w, second)
  if second <= w.second then return end
  if second - w.second >= LIVE then
    w.packed, w.changed, w.is_bare = empty(), {}, true
    w.requests, w.input, w.output = 0, 0, 0
  else
    for now = w.second + 1, second do
      local requests, input, output = bucket_values(w, now - LIVE)
      if requests > 0 or input > 0 or output > 0 then
        w.requests, w.input, w.output = w.requests - requests, w.input - input, w.output - output
        w.changed[(now - LIVE) % SLOTS] = { 0, 0, 0 }
      end
    end
  end
  w.second = second
end

local function window_read(packed, now)
  local text = packed or empty()
  local second, requests, input, output, in_flight, requests_ms, tokens_ms, kept = unpack(HEAD, text)
  local w = {
    packed = text, changed = {}, is_new = not packed, is_bare = not packed, dirty = false, mine = false,
    second = second, requests = requests, input = input, output = output, in_flight = in_flight,
    requests_ms = requests_ms, tokens_ms = tokens_ms, kept = kept,
  }
  roll(w, floor(now / 1000))
  return w
end

local function within_bucket(count)
  if count < 0 then return 0 end
  return count > MOST and MOST or count
end

-- Adds to a bucket and to the sums. `requests` and tokens may be negative; no bucket goes below 0.
local function add(w, second, requests, input, output)
  local b = bucket(w, second)
  local old_requests, old_input, old_output = b[1], b[2], b[3]
  requests, input, output = within_bucket(old_requests + requests), within_bucket(old_input + input),
    within_bucket(old_output + output)
  b[1], b[2], b[3] = requests, input, output
  w.requests = w.requests + requests - old_requests
  w.input = w.input + input - old_input
  w.output = w.output + output - old_output
  w.dirty = true
end

-- Stores what has changed. True when the server was told to keep it.
local function window_write(key, w, now)
  if w.in_flight < 0 then w.in_flight = 0 end
  local keeps = w.kept - now < KEPT_AT_LEAST
  if keeps then w.kept = now + KEPT end
  local head = pack(HEAD, w.second, w.requests, w.input, w.output, w.in_flight, w.requests_ms, w.tokens_ms, w.kept)
  local slots = {}
  for slot in pairs(w.changed) do slots[#slots + 1] = slot end
  if w.is_bare or #slots > FEW then
    table.sort(slots)
    local parts, at = { head }, HEAD_BYTES
    for _, slot in ipairs(slots) do
      local place, b = HEAD_BYTES + slot * BUCKET_BYTES, w.changed[slot]
      parts[#parts + 1] = sub(w.packed, at + 1, place)
      parts[#parts + 1] = pack(BUCKET, b[1], b[2], b[3])
      at = place + BUCKET_BYTES
    end
    parts[#parts + 1] = sub(w.packed, at + 1)
    redis.call('SET', key, table.concat(parts), 'PX', string.format('%.0f', w.kept - now))
  else
    -- Numbers are slow to become text; this one is text.
    redis.call('SETRANGE', key, '0', head)
    for _, slot in ipairs(slots) do
      local b = w.changed[slot]
      redis.call('SETRANGE', key, HEAD_BYTES + slot * BUCKET_BYTES, pack(BUCKET, b[1], b[2], b[3]))
    end
    if keeps then redis.call('PEXPIRE', key, KEPT) end
  end
  return keeps
end

-- What a replica reads of a window: I4 second  I4 requests  d input  d output  i4 in flight.
local WINDOW_REPLY = '<I4I4ddi4'
local function window_reply(w)
  return pack(WINDOW_REPLY, w.second, w.requests, w.input, w.output, w.in_flight)
end
