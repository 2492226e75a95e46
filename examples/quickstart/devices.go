package main

import (
	"cmp"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/scsdynamo/scsdynamo/sessionstore"
)

// devicesPath is where the page is that shows where somebody is logged in.
const devicesPath = "/devices"

// devicesData is what that page shows.
type devicesData struct {
	pageData
	Path    string
	Devices []device
	Others  int // how many of them are not this one
}

// device is a session as its owner sees it.
type device struct {
	sessionstore.OwnedSession
}

// Name says which browser it is, as far as that has told it.
func (d device) Name() string {
	browser, system := d.Details["browser"], d.Details["system"]
	if browser == "" || system == "" {
		return cmp.Or(browser+system, "A program of which nothing is known")
	}
	return browser + " on " + system
}

// devices shows where the visitor's name is logged in.
func (s *server) devices(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	page := devicesData{
		pageData: pageData{
			User: s.sessions.GetString(ctx, userKey), MaxName: maxName, Place: s.place, Now: time.Now(),
		},
		Path: devicesPath,
	}
	if page.User != "" {
		for session, err := range s.store.Owner(userKey, page.User).Sessions(ctx) {
			if err != nil {
				sessionstore.HandleError(w, r, err)
				return
			}
			if !session.Current {
				page.Others++
			}
			page.Devices = append(page.Devices, device{session})
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if err := pages.ExecuteTemplate(w, "devices.html", page); err != nil {
		slog.WarnContext(ctx, "the page was not sent", "error", err)
	}
}

// endDevice logs one device out.
func (s *server) endDevice(w http.ResponseWriter, r *http.Request) {
	if user := s.sessions.GetString(r.Context(), userKey); user != "" {
		// The ID is looked for among the sessions of this user alone.
		if _, err := s.store.Owner(userKey, user).End(r.Context(), r.PostFormValue("device")); err != nil {
			sessionstore.HandleError(w, r, err)
			return
		}
	}
	http.Redirect(w, r, devicesPath, http.StatusSeeOther)
}

// endOthers logs all devices out but this one.
func (s *server) endOthers(w http.ResponseWriter, r *http.Request) {
	if user := s.sessions.GetString(r.Context(), userKey); user != "" {
		if _, err := s.store.Owner(userKey, user).EndOthers(r.Context()); err != nil {
			sessionstore.HandleError(w, r, err)
			return
		}
	}
	http.Redirect(w, r, devicesPath, http.StatusSeeOther)
}

// detailsOf is what the store keeps of a login for the page: what the browser says that it is.
func detailsOf(r *http.Request, _ map[string]any) map[string]string {
	if r == nil {
		return nil
	}
	agent, details := r.UserAgent(), map[string]string{}
	// Each of them calls itself by the names of those behind it, too.
	for _, known := range []struct{ detail, word, name string }{
		{"browser", "Edg/", "Edge"},
		{"browser", "OPR/", "Opera"},
		{"browser", "Firefox/", "Firefox"},
		{"browser", "Chrome/", "Chrome"},
		{"browser", "Safari/", "Safari"},
		{"browser", "curl/", "curl"},
		{"system", "Android", "Android"},
		{"system", "iPhone", "iPhone"},
		{"system", "iPad", "iPad"},
		{"system", "Windows", "Windows"},
		{"system", "Macintosh", "macOS"},
		{"system", "CrOS", "ChromeOS"},
		{"system", "Linux", "Linux"},
	} {
		if details[known.detail] == "" && strings.Contains(agent, known.word) {
			details[known.detail] = known.name
		}
	}
	return details
}
