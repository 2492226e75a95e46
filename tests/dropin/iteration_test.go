package dropin

import (
	"context"
	"net/http"
)

// iterations are handlers that work on all sessions: of a user, or of everybody.
var iterations = []behaviour{
	{name: "Iterate", serve: in(on(iterate(readUser))), own: true},
	{name: "Iterate, Put and Commit", serve: in(on(iterate(promote))), own: true},
	{name: "Iterate, Put and Commit, then Put", serve: in(on(inTurn(iterate(promote), put))), own: true},
	{name: "Put, then Iterate, Put and Commit", serve: in(on(inTurn(put, iterate(promote)))), own: true},
	{name: "Iterate, Put and Commit twice", serve: in(on(inTurn(iterate(promote), iterate(promoteAgain)))), own: true},
	{name: "Iterate and Destroy others", serve: in(on(iterate(destroyUser("v")))), own: true},
	{name: "Iterate and Destroy all", serve: in(on(iterate(destroyAny))), own: true},
	{
		name:  "Iterate and Destroy all, then RenewToken and Put",
		serve: in(on(inTurn(iterate(destroyAny), renewSession, put))), own: true,
	},
	{
		name:  "Iterate and Destroy all, then Destroy and Put",
		serve: in(on(inTurn(iterate(destroyAny), destroySession, put))), own: true,
	},
	{name: "Iterate and Destroy all, then a flash", serve: in(iterateAndFlash), own: true},
	{name: "Iterate and RenewToken others", serve: in(on(iterate(renewUser("v")))), own: true},
	{name: "Iterate in a background context", serve: in(on(iterateInBackground)), own: true},
}

// iterate does something with each session.
func iterate(do func(context.Context, *app) error) func(*app, *http.Request) {
	return func(a *app, r *http.Request) {
		err := a.sessions.Iterate(r.Context(), func(ctx context.Context) error { return do(ctx, a) })
		a.see("Iterate", err)
	}
}

func readUser(ctx context.Context, a *app) error {
	if a.sessions.Status(ctx) != 0 {
		a.see("status", a.sessions.Status(ctx))
	}
	return nil
}

func promote(ctx context.Context, a *app) error {
	a.sessions.Put(ctx, "role", "admin")
	_, _, err := a.sessions.Commit(ctx)
	return err
}

func promoteAgain(ctx context.Context, a *app) error {
	a.sessions.Put(ctx, "role", a.sessions.GetString(ctx, "role")+"istrator")
	_, _, err := a.sessions.Commit(ctx)
	return err
}

func destroyAny(ctx context.Context, a *app) error { return a.sessions.Destroy(ctx) }

func destroyUser(user string) func(context.Context, *app) error {
	return func(ctx context.Context, a *app) error {
		if a.sessions.GetString(ctx, "user") != user {
			return nil
		}
		return a.sessions.Destroy(ctx)
	}
}

func renewUser(user string) func(context.Context, *app) error {
	return func(ctx context.Context, a *app) error {
		if a.sessions.GetString(ctx, "user") != user {
			return nil
		}
		if err := a.sessions.RenewToken(ctx); err != nil {
			return err
		}
		_, _, err := a.sessions.Commit(ctx)
		return err
	}
}

func iterateInBackground(a *app, r *http.Request) {
	iterate(promote)(a, r.WithContext(context.Background()))
}

// iterateAndFlash ends all sessions of a user, its own included, as after a new password.
func iterateAndFlash(a *app, w http.ResponseWriter, r *http.Request) {
	iterate(destroyAny)(a, r)
	a.sessions.Put(r.Context(), "flash", "your password was changed")
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}
