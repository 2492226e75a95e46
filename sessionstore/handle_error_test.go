package sessionstore_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Each kind of error has its answer and its level in the log; what exactly went wrong is in the log alone.
func TestHandleErrorTellsErrorsApart(t *testing.T) { // not parallel: it sets the default logger
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(&log, nil)))
	defer slog.SetDefault(before)
	detail := errors.New("the detail")
	for name, test := range map[string]struct {
		err    error
		status int
		level  string
		retry  bool
		says   string
	}{
		"conflict":  {storage.ErrConflict, http.StatusConflict, "INFO", false, "Nothing was saved"},
		"gone":      {sessionstore.ErrSessionGone, http.StatusConflict, "INFO", false, "ended"},
		"lock lost": {sessionstore.ErrLockLost, http.StatusConflict, "WARN", false, "took the session over"},
		"lock timeout": {
			sessionstore.ErrLockTimeout, http.StatusServiceUnavailable, "WARN", true,
			"using the session",
		},
		"unavailable": {storage.ErrUnavailable, http.StatusServiceUnavailable, "ERROR", true, "not available"},
		"unavailable, timed out": {
			errors.Join(context.DeadlineExceeded, storage.ErrUnavailable),
			http.StatusServiceUnavailable, "ERROR", true, "not available",
		},
		"unknown": {storage.ErrOutcomeUnknown, http.StatusInternalServerError, "ERROR", false, "not known"},
		"unknown, conflict": {
			errors.Join(storage.ErrConflict, storage.ErrOutcomeUnknown),
			http.StatusInternalServerError, "ERROR", false, "not known",
		},
		"unknown, unavailable": {
			errors.Join(storage.ErrUnavailable, storage.ErrOutcomeUnknown),
			http.StatusInternalServerError, "ERROR", false, "not known",
		},
		"unknown, gone": {
			errors.Join(sessionstore.ErrSessionGone, storage.ErrOutcomeUnknown),
			http.StatusInternalServerError, "ERROR", false, "not known",
		},
		"renewed":        {sessionstore.ErrTokenRenewed, http.StatusConflict, "INFO", false, "renewed"},
		"client gone":    {context.Canceled, http.StatusServiceUnavailable, "INFO", false, "cancelled"},
		"out of time":    {context.DeadlineExceeded, http.StatusServiceUnavailable, "WARN", true, "too long"},
		"too large":      {storage.ErrTooLarge, http.StatusInternalServerError, "ERROR", false, "could not"},
		"scope ended":    {sessionstore.ErrScopeEnded, http.StatusInternalServerError, "ERROR", false, "could not"},
		"retry in scope": {sessionstore.ErrRetryInScope, http.StatusInternalServerError, "ERROR", false, "could not"},
		"else":           {detail, http.StatusInternalServerError, "ERROR", false, "could not"},
	} {
		log.Reset()
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/path?query", nil)
		sessionstore.HandleError(w, r, errors.Join(test.err, detail))
		if w.Code != test.status || (w.Header().Get("Retry-After") != "") != test.retry ||
			!strings.Contains(w.Body.String(), test.says) {
			t.Errorf("%s: %d %v %q", name, w.Code, w.Header(), w.Body)
		}
		if strings.Contains(w.Body.String(), "detail") || strings.Contains(w.Body.String(), test.err.Error()) {
			t.Errorf("%s: the client is told the error itself: %q", name, w.Body)
		}
		var entry struct {
			Level, Method, Path, Error string
			Status                     int
		}
		if err := json.Unmarshal(log.Bytes(), &entry); err != nil {
			t.Fatalf("%s: %v in %q", name, err, log.String())
		}
		if entry.Level != test.level || entry.Method != http.MethodPut || entry.Path != "/path" ||
			entry.Status != test.status ||
			!strings.Contains(entry.Error, "the detail") {
			t.Errorf("%s: logged %+v; want %s, the request, and the error", name, entry, test.level)
		}
	}
}
