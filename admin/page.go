package admin

import (
	"bytes"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/scsdynamo/scsdynamo/sessionstore"
)

var page = template.Must(template.New("page.html").ParseFS(files, "page.html"))

// view is what the page shows.
type view struct {
	Indexes      []string
	Index, Owner string
	Asked        bool // for an owner
	First        bool // it is the first page of the list
	Sessions     []sessionstore.OwnedSession
	Next         string // the ID of the last one, where there are more
	Done         string // what was done
	Wrong        string // what was not, and what to do about it
	MaxBytes     int
	Now          time.Time
}

func (h *handler) view(q request) view {
	return view{
		Indexes: h.indexes, Index: q.index, Owner: q.owner, First: q.after == "", Now: time.Now(),
		MaxBytes: sessionstore.MaxOwnerBytes,
	}
}

// show sends the page.
func (h *handler) show(w http.ResponseWriter, _ *http.Request, status int, v view) {
	var body bytes.Buffer
	if err := page.Execute(&body, v); err != nil {
		http.Error(w, "the page cannot be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = body.WriteTo(w)
}

// Detail is one of those that the application tells of a login.
type Detail struct{ Name, Value string }

// Details returns those of a session by their names.
func (v view) Details(s sessionstore.OwnedSession) []Detail {
	var all []Detail
	for _, name := range slices.Sorted(maps.Keys(s.Details)) {
		all = append(all, Detail{name, s.Details[name]})
	}
	return all
}

// Plain is text of visitors as it may be shown: what hides or reorders what stands around it is written as its number.
func (v view) Plain(text string) string {
	var plain strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			plain.WriteRune(r)
		} else {
			fmt.Fprintf(&plain, `\u%04x`, r)
		}
	}
	return plain.String()
}

// Link is the address of the list, from the page on.
func (v view) Link(after string) string {
	to := url.Values{"index": {v.Index}, "owner": {v.Owner}}
	if after != "" {
		to.Set("after", after)
	}
	return "./?" + to.Encode()
}

// Instant writes an instant for people.
func (v view) Instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + " UTC" }

// Machine writes it for programs.
func (v view) Machine(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Relative says how far an instant is away.
func (v view) Relative(t time.Time) string {
	switch d := t.Sub(v.Now); {
	case d.Abs() < time.Minute && d < 0:
		return "just now"
	case d < 0:
		return span(-d) + " ago"
	default:
		return "in " + span(d)
	}
}

// span writes the two largest units of a duration.
func span(d time.Duration) string {
	units := []struct {
		name string
		size time.Duration
	}{{" d", 24 * time.Hour}, {" h", time.Hour}, {" min", time.Minute}}
	for i, unit := range units {
		if d < unit.size {
			continue
		}
		text := strconv.FormatInt(int64(d/unit.size), 10) + unit.name
		if i+1 < len(units) {
			if rest := d % unit.size / units[i+1].size; rest > 0 {
				text += " " + strconv.FormatInt(int64(rest), 10) + units[i+1].name
			}
		}
		return text
	}
	return "less than a minute"
}
