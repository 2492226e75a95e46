package main

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// pageData is what the page shows.
type pageData struct {
	Demo    demoView
	Visits  int
	User    string // empty when nobody is logged in
	MaxName int
	Place   string
	Stored  *storedSession // nil where it could not be read
	Started time.Time      // of this process
	Now     time.Time
}

// Path is where a login leads to, empty for this page.
func (pageData) Path() string { return "" }

// Survived reports whether the session is older than this process: the proof that the store keeps it.
func (p pageData) Survived() bool { return p.Stored != nil && p.Stored.Created.Before(p.Started) }

// At writes an instant for people.
func (p pageData) At(t time.Time) string { return t.Local().Format("2 Jan 2006, 15:04:05 MST") }

// Relative says how far an instant is away.
func (p pageData) Relative(t time.Time) string { return relative(t.Sub(p.Now)) }

// storedSession is a session as the store keeps it.
type storedSession struct {
	token                     string
	values                    map[string]any
	Bytes                     int
	Created, Updated, Expires time.Time
}

// Token is the beginning of the token: who has all of it has the session.
func (s *storedSession) Token() string { return s.token[:min(6, len(s.token))] + "…" }

// Value is one entry of the session's data.
type Value struct {
	Key, Type, Text string
}

// Values lists the session's data by key.
func (s *storedSession) Values() []Value {
	var values []Value
	for _, key := range slices.Sorted(maps.Keys(s.values)) {
		value := s.values[key]
		values = append(values, Value{Key: key, Type: fmt.Sprintf("%T", value), Text: fmt.Sprint(value)})
	}
	return values
}

// relative writes a duration from now in its two largest units: "in 23 h 59 min", "12 s ago".
func relative(d time.Duration) string {
	if d.Abs() < time.Second {
		return "just now"
	}
	if d < 0 {
		return span(-d) + " ago"
	}
	return "in " + span(d)
}

func span(d time.Duration) string {
	const day = 24 * time.Hour
	units := []struct {
		name string
		size time.Duration
	}{{"d", day}, {"h", time.Hour}, {"min", time.Minute}, {"s", time.Second}}
	for i, unit := range units {
		if d < unit.size {
			continue
		}
		text := fmt.Sprintf("%d %s", d/unit.size, unit.name)
		if i+1 < len(units) {
			text += fmt.Sprintf(" %d %s", d%unit.size/units[i+1].size, units[i+1].name)
		}
		return text
	}
	return "0 s"
}
