-- Settles the tokens of a grant. Its place in flight is freed by what the replica says of itself.
--
-- Packed: I2 place among the deployments  d second of the grant  I4 input  I4 output used beyond what was reserved
-- I4 input  I4 output to give back.
local SETTLEMENT = '<I2dI4I4I4I4'

local function settle(w, second, more_input, more_output, less_input, less_output)
  -- More is charged now; less goes back to its second while that counts.
  if more_input > 0 or more_output > 0 then add(w, w.second, 0, more_input, more_output) end
  if (less_input > 0 or less_output > 0) and second <= w.second and w.second - second < LIVE then
    add(w, second, 0, -less_input, -less_output)
  end
end
