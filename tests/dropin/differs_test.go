package dropin

// differences are the behaviours in which our middleware is not like that of scs, with the reason. A key is a
// behaviour, or behaviour/use, behaviour/use/idle or behaviour/use/idle/world. What is so for all handlers is in
// (cell).judge.
var differences = map[string]string{
	"Commit by a goroutine after the end": "A commit after the end of its request is refused, with ErrScopeEnded.",
	"Iterate and Destroy all/changed/idle": "The session was ended: that scs commits it again, for its idle timeout, " +
		"does not bring it back.",
	"Iterate and Destroy all/changed/idle-always": "The same.",
	"Iterate and Destroy all, then a flash/changed": "The request has ended its own session: what it puts after that " +
		"begins " +
		"another one, as after a Destroy, where scs brings the ended one back.",
	"Iterate and Destroy all, then RenewToken and Put/changed": "The same.",
	"Commit after the body has begun/read/idle": "Nothing was stored when the body began, and so no " +
		"cookie was sent.",
	"Iterate in a background context/changed/idle": "The request itself has only read its session, and so moves its " +
		"expiry " +
		"alone: what was stored meanwhile stays, which scs overwrites.",
	"Iterate in a background context/changed/idle-always": "The same.",
	"multipart file that is left behind": "The temporary files of a form are removed, as net/http does where no " +
		"middleware has " +
		"copied the request; with scs's they stay.",
	"RenewToken and panic/changed": "A renewal and its commit are one step: where no commit comes, the user still has " +
		"the old " +
		"session, which scs has deleted.",
	"RenewToken after the body has begun/changed": "The same.",
	"ours in scs's/refused":                       "scs's own middleware has loaded the session: it is all as there.",
	"ours in scs's/refused-new":                   "The same.",
	"Hijack, then a write": "The error is the same; net/http does not log it, because the write " +
		"does not come so far.",
}
