package sessionstore

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/scsdynamo/scsdynamo/storage"
)

// retryAfter is for how many seconds clients are asked to wait.
const retryAfter = "1"

// HandleError is an [scs.SessionManager].ErrorFunc that tells people what happened: 409 Conflict where another request
// of the same user was faster, the session was ended or renewed meanwhile, or its owner may have no more sessions; 503
// Service Unavailable with Retry-After where another request held the session for too long, storage is overloaded or
// out of reach, or the request's own time was up; and 500 Internal Server Error for everything else, such as where it
// is not known whether the session was saved. The error itself goes to [slog.Default], not to the client: at error
// level what somebody should look at, at warn level what was too slow, and at info level the rest.
func HandleError(w http.ResponseWriter, r *http.Request, err error) {
	status, level, text := http.StatusInternalServerError, slog.LevelError, "The session could not be loaded or saved."
	switch {
	case errors.Is(err, storage.ErrOutcomeUnknown): // before what it may come with: nobody is told that nothing was saved
		text = "It is not known whether the session was saved. Please look before you try again."
	case errors.Is(err, ErrTokenRenewed):
		status, level = http.StatusConflict, slog.LevelInfo
		text = "The session was renewed while this request was running. Nothing was saved; please try again."
	case errors.Is(err, ErrOwnerEnded):
		status, level = http.StatusConflict, slog.LevelInfo
		text = "All sessions of this user were ended while this request was running. Nothing was saved; please log in again."
	case errors.Is(err, ErrOwnerLimit):
		status, level = http.StatusConflict, slog.LevelInfo
		text = "This user is logged in as often as may be. Nothing was saved; please log out elsewhere and try again."
	case errors.Is(err, ErrSessionGone):
		status, level = http.StatusConflict, slog.LevelInfo
		text = "The session was ended while this request was running. Nothing was saved."
	case errors.Is(err, ErrLockTimeout):
		status, level = http.StatusServiceUnavailable, slog.LevelWarn
		text = "Another request is using the session for a long time. Please try again."
		w.Header().Set("Retry-After", retryAfter)
	case errors.Is(err, ErrLockLost):
		status, level = http.StatusConflict, slog.LevelWarn
		text = "Another request took the session over while this one was running. Nothing was saved; please try again."
	case errors.Is(err, storage.ErrConflict):
		status, level = http.StatusConflict, slog.LevelInfo
		text = "Another request changed the session while this one was running. Nothing was saved; please try again."
	case errors.Is(err, storage.ErrUnavailable):
		status = http.StatusServiceUnavailable
		text = "Sessions are not available at the moment. Please try again."
		w.Header().Set("Retry-After", retryAfter)
	case errors.Is(err, context.DeadlineExceeded):
		status, level = http.StatusServiceUnavailable, slog.LevelWarn
		text = "The request took too long. Please try again."
		w.Header().Set("Retry-After", retryAfter)
	case errors.Is(err, context.Canceled): // the client is gone
		status, level = http.StatusServiceUnavailable, slog.LevelInfo
		text = "The request was cancelled."
	}
	slog.Default().LogAttrs(r.Context(), level, "session error",
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", status),
		slog.String("error", err.Error()))
	http.Error(w, text, status)
}
