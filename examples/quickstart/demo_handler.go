package main

import (
	"log/slog"
	"net/http"
)

// demoPage is the page of a run.
type demoPage struct {
	Place string
	Demo  demoView
}

// demonstrate runs the demonstration and shows the result. It reads and writes no session of a visitor. The page says
// at once that the requests are on their way; the result follows in the same response.
func (s *server) demonstrate(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	view := newDemoView()
	leave, ok := s.demo.admit()
	if !ok {
		view.Message = "The demonstration is running for somebody else at the moment. Please try again in a few seconds."
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(http.StatusServiceUnavailable)
		s.show(w, r, "demo-begin", view)
		s.show(w, r, "demo-end", view)
		return
	}
	defer leave()

	running := view
	running.Running = true
	s.show(w, r, "demo-begin", running)
	_ = http.NewResponseController(w).Flush() // Where it fails, the page comes in one piece.

	results, err := s.demo.run(r.Context())
	switch {
	case r.Context().Err() != nil:
		return // The visitor has gone.
	case err != nil:
		slog.ErrorContext(r.Context(), "the demonstration failed", "error", err)
		view.Message = "The demonstration could not be run to its end. The program's log says why."
	default:
		view = view.withResults(results)
	}
	s.show(w, r, "demo-end", view)
}

func (s *server) show(w http.ResponseWriter, r *http.Request, part string, view demoView) {
	if err := pages.ExecuteTemplate(w, part, demoPage{Place: s.place, Demo: view}); err != nil {
		slog.WarnContext(r.Context(), "the page was not sent", "error", err)
	}
}
