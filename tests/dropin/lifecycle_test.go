package dropin

import (
	"context"
	"net/http"
	"time"
)

// lifecycles are how sessions begin, move to another token, and end.
var lifecycles = []behaviour{
	{name: "RenewToken", serve: in(renew), own: true},
	{name: "RenewToken, then Put", serve: in(on(renewAndPut)), own: true},
	{name: "Put, then RenewToken", serve: in(on(putAndRenew)), own: true},
	{name: "RenewToken twice", serve: in(on(renewTwice)), own: true},
	{
		name:  "RenewToken, nothing is written",
		serve: in(func(a *app, _ http.ResponseWriter, r *http.Request) { renewSession(a, r) }), own: true,
	},
	{name: "RenewToken, Commit, RenewToken", serve: in(on(renewCommitRenew)), own: true},
	{name: "RenewToken and 303", serve: in(renewAndRedirect), own: true},
	{name: "RenewToken and panic", serve: recoveredOutside(renewAndPanic), own: true},
	{name: "Destroy", serve: in(destroy), own: true},
	{
		name:  "Destroy, nothing is written",
		serve: in(func(a *app, _ http.ResponseWriter, r *http.Request) { destroySession(a, r) }), own: true,
	},
	{name: "Destroy, then Put", serve: in(on(destroyAndPut)), own: true},
	{name: "Destroy, then RenewToken", serve: in(on(destroyAndRenew)), own: true},
	{name: "Put, then Destroy", serve: in(on(putAndDestroy)), own: true},
	{name: "RenewToken, then Destroy", serve: in(on(renewAndDestroy)), own: true},
	{name: "Commit, then Destroy", serve: in(on(commitAndDestroy)), own: true},
	{name: "Destroy twice", serve: in(on(destroyTwice)), own: true},
	{name: "Destroy and 303", serve: in(destroyAndRedirect), own: true},
	{name: "Destroy, and a flash before the redirect", serve: in(destroyFlashRedirect), own: true},
	{name: "Destroy after the body has begun", serve: in(writeAndDestroy), own: true},
	{name: "Destroy where the client has gone", serve: in(on(destroyCancelled)), own: true},
	{name: "RenewToken after the body has begun", serve: in(writeAndRenew), own: true},
	{name: "MergeSession", serve: in(on(mergeSession)), own: true},
	{name: "MergeSession with its own", serve: in(on(mergeOwn)), own: true},
	{name: "MergeSession with none", serve: in(on(mergeNone)), own: true},
	{name: "MergeSession, then RenewToken", serve: in(on(mergeAndRenew)), own: true},
	{name: "RememberMe(true)", serve: in(on(rememberMe(true))), own: true},
	{name: "RememberMe(false)", serve: in(on(rememberMe(false))), own: true},
	{name: "SetDeadline", serve: in(on(setDeadline(2 * time.Hour))), own: true},
	{name: "SetDeadline earlier than the idle timeout", serve: in(on(setDeadline(10 * time.Minute))), own: true},
	{name: "SetDeadline in the past", serve: in(on(setDeadline(-time.Hour))), own: true},
	{name: "two commits by hand", serve: in(on(twoCommits)), own: true},
	{name: "Commit, then nothing new", serve: in(on(commitTwice)), own: true},
	{name: "another session loaded by hand", serve: in(on(loadOther)), own: true},
	{name: "another session destroyed by hand", serve: in(on(destroyOther)), own: true},
	{name: "a new session made by hand", serve: in(on(makeSession)), own: true},
	{name: "WriteSessionCookie by hand", serve: in(on2(writeCookie)), own: true},
	{name: "Commit by a goroutine after the end", serve: in(on(commitLate)), own: true},
}

func renewSession(a *app, r *http.Request)   { a.see("RenewToken", a.sessions.RenewToken(r.Context())) }
func destroySession(a *app, r *http.Request) { a.see("Destroy", a.sessions.Destroy(r.Context())) }
func put(a *app, r *http.Request)            { a.sessions.Put(r.Context(), "x", 1) }

func commit(a *app, r *http.Request) {
	token, expiry, err := a.sessions.Commit(r.Context())
	a.see("Commit", a.name(token), time.Until(expiry).Round(10*time.Minute), err)
}

func renew(a *app, w http.ResponseWriter, r *http.Request) {
	renewSession(a, r)
	a.write(w, "body")
}

func destroy(a *app, w http.ResponseWriter, r *http.Request) {
	destroySession(a, r)
	a.write(w, "body")
}

// inTurn does one thing after the other.
func inTurn(steps ...func(*app, *http.Request)) func(*app, *http.Request) {
	return func(a *app, r *http.Request) {
		for _, step := range steps {
			step(a, r)
		}
	}
}

var (
	renewAndPut      = inTurn(renewSession, put)
	putAndRenew      = inTurn(put, renewSession)
	renewTwice       = inTurn(renewSession, renewSession)
	renewCommitRenew = inTurn(renewSession, commit, renewSession)
	destroyAndPut    = inTurn(destroySession, put)
	destroyAndRenew  = inTurn(destroySession, renewSession)
	putAndDestroy    = inTurn(put, destroySession)
	renewAndDestroy  = inTurn(renewSession, destroySession)
	commitAndDestroy = inTurn(put, commit, destroySession)
	destroyTwice     = inTurn(destroySession, destroySession)
	mergeAndRenew    = inTurn(mergeSession, renewSession)
	commitTwice      = inTurn(put, commit)
)

func renewAndRedirect(a *app, w http.ResponseWriter, r *http.Request) {
	renewAndPut(a, r)
	http.Redirect(w, r, "/home", http.StatusSeeOther)
}

func renewAndPanic(a *app, _ http.ResponseWriter, r *http.Request) {
	renewAndPut(a, r)
	panic("after the renewal")
}

func destroyAndRedirect(a *app, w http.ResponseWriter, r *http.Request) {
	destroySession(a, r)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func destroyFlashRedirect(a *app, w http.ResponseWriter, r *http.Request) {
	destroyAndPut(a, r)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func writeAndDestroy(a *app, w http.ResponseWriter, r *http.Request) {
	a.write(w, "body")
	destroySession(a, r)
}

func writeAndRenew(a *app, w http.ResponseWriter, r *http.Request) {
	a.write(w, "body")
	renewSession(a, r)
}

func destroyCancelled(a *app, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	cancel()
	destroySession(a, r.WithContext(ctx))
}

func mergeSession(a *app, r *http.Request) {
	a.see("MergeSession", a.sessions.MergeSession(r.Context(), a.other))
}

func mergeOwn(a *app, r *http.Request) {
	a.see("MergeSession", a.sessions.MergeSession(r.Context(), a.token))
}

func mergeNone(a *app, r *http.Request) {
	a.see("MergeSession", a.sessions.MergeSession(r.Context(), "none"))
}

func rememberMe(remember bool) func(*app, *http.Request) {
	return func(a *app, r *http.Request) {
		a.sessions.Cookie.Persist = false
		a.sessions.RememberMe(r.Context(), remember)
	}
}

func setDeadline(d time.Duration) func(*app, *http.Request) {
	return func(a *app, r *http.Request) { a.sessions.SetDeadline(r.Context(), time.Now().Add(d).UTC()) }
}

func twoCommits(a *app, r *http.Request) {
	inTurn(put, commit)(a, r)
	a.sessions.Put(r.Context(), "y", 2)
	commit(a, r)
}

// loadOther works on a session that is not the request's, as administrators do.
func loadOther(a *app, r *http.Request) {
	ctx, err := a.sessions.Load(context.Background(), a.other)
	a.see("Load", err)
	a.sessions.Put(ctx, "note", "from an administrator")
	commit(a, r.WithContext(ctx))
}

func destroyOther(a *app, r *http.Request) {
	ctx, err := a.sessions.Load(context.Background(), a.other)
	a.see("Load", err)
	destroySession(a, r.WithContext(ctx))
}

func makeSession(a *app, r *http.Request) {
	ctx, err := a.sessions.Load(context.Background(), "")
	a.see("Load", err)
	a.sessions.Put(ctx, "user", "made")
	commit(a, r.WithContext(ctx))
}

func on2(do func(*app, http.ResponseWriter, *http.Request)) func(*app, http.ResponseWriter, *http.Request) {
	return func(a *app, w http.ResponseWriter, r *http.Request) {
		do(a, w, r)
		a.write(w, "body")
	}
}

func writeCookie(a *app, w http.ResponseWriter, r *http.Request) {
	put(a, r)
	token, expiry, err := a.sessions.Commit(r.Context())
	a.see("Commit", err)
	a.sessions.WriteSessionCookie(r.Context(), w, token, expiry)
}

func commitLate(a *app, r *http.Request) {
	a.late.Go(func() {
		<-a.answered
		a.sessions.Put(r.Context(), "late", true)
		commit(a, r)
	})
}
