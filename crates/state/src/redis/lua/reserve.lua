-- Admission: grants the first candidate with room.
--
-- An ask is packed: I4 input  I4 output tokens  I2 how many candidates, then for each I2 its place among the
-- deployments, B 1 when its cooldown holds and 0 when it is ignored.
local ASK, CANDIDATE, CANDIDATE_BYTES, ANSWER = '<I4I4I2', '<I2B', 3, '<I2BBd'

local function within(used, more, limit)
  return used + more <= limit or (limit > 0 and more > limit and used == 0)
end

local function fits(l, requests, input, output, ask_input, ask_output)
  return requests < l.rpm
    and within(input + output, ask_input + ask_output, l.tpm)
    and within(input, ask_input, l.itpm)
    and within(output, ask_output, l.otpm)
end

-- When the window alone will have room, in ms; 0 when it never will.
local function fits_at(w, l, ask_input, ask_output)
  local requests, input, output = w.requests, w.input, w.output
  for second = max(w.second + 1 - LIVE, 0), w.second do
    local r, i, o = bucket_values(w, second)
    if r > 0 or i > 0 or o > 0 then
      requests, input, output = requests - r, input - i, output - o
    end
    if fits(l, requests, input, output, ask_input, ask_output) then return (second + LIVE) * 1000 end
  end
  return 0
end

local function finite(limit)
  return limit > 0 and limit < math.huge
end

-- When the smoother lets it through, in ms.
local function opens_at(w, l, tokens, now)
  if l.burst < 0 then return now end
  local at = now
  if finite(l.rpm) then
    local cost = 60000 / l.rpm
    at = max(at, ceil(w.requests_ms + cost - max(l.burst, cost)))
  end
  if finite(l.tpm) then
    local cost = tokens * 60000 / l.tpm
    at = max(at, ceil(cost > l.burst and w.tokens_ms or w.tokens_ms + cost - l.burst))
  end
  return at
end

local function smooth(w, l, tokens, now)
  if l.burst < 0 then return end
  if finite(l.rpm) then w.requests_ms = max(w.requests_ms, now) + 60000 / l.rpm end
  if finite(l.tpm) then w.tokens_ms = max(w.tokens_ms, now) + tokens * 60000 / l.tpm end
end

-- Whether a window takes one more; else when to ask again in ms, 0 when nobody knows.
local function has_room(w, l, input, output, now)
  if w.in_flight >= l.parallel then return false, 0 end
  if not fits(l, w.requests, w.input, w.output, input, output) then return false, fits_at(w, l, input, output) end
  local at = opens_at(w, l, input + output, now)
  if at > now then return false, at end
  return true
end

local function charge(w, l, input, output, now)
  add(w, w.second, 1, input, output)
  smooth(w, l, input + output, now)
  w.in_flight = w.in_flight + 1
  local mine = w.mine
  mine[1], mine[2], mine[3], mine[4] = mine[1] + 1, mine[2] + input, mine[3] + output, mine[4] + 1
end

-- Whether its health admits it, and as a probe; else when to ask again.
local function may_be_asked(c, heed, now)
  if c.rests == 0 and c.drained == 0 then return true, false end
  local h = health(c, now)
  if h == 'ready' then return true, false end
  if h == 'half_open' then return true, true end
  if h == 'drained' then return false, max(c.drained, 0) end
  if not heed then return true, false end
  return false, h == 'cooling' and c.rests or 0
end

-- Answers the ask that is packed in `text` from `at` on; says where the text goes on.
-- The answer, packed: I2 the place of the granted candidate in the ask, 1 first (0: nobody)  B 1 for a probe
-- B 1 when somebody was full rather than resting  d when to ask again in ms (0: nobody knows).
local function reserve(text, at, load, now)
  local input, output, candidates, first_at = unpack(ASK, text, at)
  local ends = first_at + CANDIDATE_BYTES * candidates
  local again, full = 0, 0
  for place = 1, candidates do
    local number, heed = unpack(CANDIDATE, text, first_at + CANDIDATE_BYTES * (place - 1))
    local d = load(number)
    local may, probe = may_be_asked(d.condition, heed == 1, now)
    local retry = probe
    if may then
      local room
      room, retry = has_room(d.window, d, input, output, now)
      if room then
        charge(d.window, d, input, output, now)
        if probe then
          d.condition.probe = now + PROBE_TURN_MS
          changed(d.condition, now)
        end
        return pack(ANSWER, place, probe and 1 or 0, 0, 0), ends
      end
      full = 1
    end
    if retry > 0 and (again == 0 or retry < again) then again = retry end
  end
  return pack(ANSWER, 0, 0, full, again), ends
end
