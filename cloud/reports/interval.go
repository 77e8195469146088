package reports

import (
	"time"
	_ "time/tzdata" // zones also where the machine has none
)

// intervals gives where the period's intervals start: its own beginning, then
// each quarter, hour or midnight of the zone before its end. Days with a change
// of the clock have 23 or 25 hours, and an hour the clock goes through twice is
// two. The first and the last interval may be cut by the period.
func intervals(from, to time.Time, interval string, zone *time.Location) []time.Time {
	next := nextHour
	switch interval {
	case "15m":
		next = nextQuarter
	case "1d":
		next = nextDay
	}
	var out []time.Time
	for t := from; t.Before(to); t = next(t, zone) {
		out = append(out, t)
	}
	return out
}

func nextQuarter(t time.Time, zone *time.Location) time.Time {
	return nextMark(t, zone, 15*time.Minute)
}

func nextHour(t time.Time, zone *time.Location) time.Time { return nextMark(t, zone, time.Hour) }

// nextMark is when the clock next shows a whole step. Zones differ from UTC by
// quarters, so the way there is counted on the zone's clock.
func nextMark(t time.Time, zone *time.Location, step time.Duration) time.Time {
	local := t.In(zone)
	past := time.Duration(local.Minute())*time.Minute + time.Duration(local.Second())*time.Second + time.Duration(local.Nanosecond())
	return t.Add(step - past%step)
}

// nextDay is the first moment of the following day: 01:00 where the clock skips
// midnight, the earlier one where it shows midnight twice.
func nextDay(t time.Time, zone *time.Location) time.Time {
	year, month, day := t.In(zone).Date()
	noon := t
	for n := 1; !noon.After(t) || noon.Day() == day; n++ { // an island that changes sides loses a day
		noon = time.Date(year, month, day+n, 12, 0, 0, 0, zone)
	}
	y, m, d := noon.Date()
	start := time.Date(y, m, d, 0, 0, 0, 0, zone)
	if start.Day() != d { // in the gap; the day begins where the gap ends
		_, start = start.ZoneBounds()
		return start.In(zone)
	}
	if change, _ := start.ZoneBounds(); !change.IsZero() {
		_, before := change.Add(-1).In(zone).Zone()
		_, after := start.Zone()
		earlier := start.Add(time.Duration(after-before) * time.Second)
		if earlier.Before(change) && !change.After(start) && earlier.In(zone).Day() == d {
			return earlier.In(zone)
		}
	}
	return start
}
