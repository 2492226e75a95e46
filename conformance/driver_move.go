package conformance

import (
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// driverMoveCases are about Move.
func driverMoveCases() []driverCase {
	return []driverCase{
		{
			id: "D-MOVE-01", name: "Moves", needs: driverNeedsMover,
			rule: "Move stores the record under its key and removes the one under the old key.",
			run: func(p *driverProbe) {
				from := p.leased()
				r := p.next(from)
				r.Key, r.Lease = p.key(), storage.Lease{}
				p.move(from.Key, r, storage.IfVersion(from.Version, p.now))
				p.absent(from.Key)
				p.holds(r)
			},
		},
		{
			id: "D-MOVE-02", name: "OccupiedTarget", needs: driverNeedsMover,
			rule: "Unless the condition is Always, a live record under the new key is a conflict that carries it, and both records stay.",
			run: func(p *driverProbe) {
				from, target := p.leased(), p.leased()
				for _, c := range []storage.Condition{
					storage.IfLive(p.now),
					storage.IfVersion(from.Version, p.now),
					storage.IfVersionAndLease(from.Version, from.Lease.ID, p.now),
					storage.IfLease(from.Lease.ID),
					storage.IfUnchanged(from),
				} {
					r := p.next(from)
					r.Key = target.Key
					r.UpdatedAt = target.ExpiresAt.Add(-1)
					p.conflict(p.tryMove(p.ctx, from.Key, r, c), &target)
					p.holds(from)
					p.holds(target)
				}
			},
		},
		{
			id: "D-MOVE-03", name: "ExpiredTarget", needs: driverNeedsMover,
			rule: "A record under the new key that is expired when the moved one is written gives way to it.",
			run: func(p *driverProbe) {
				for _, late := range []time.Duration{0, 1, time.Hour} {
					target := p.leased()
					from := p.record(p.key())
					from.ExpiresAt = p.later().Add(driverLifetime)
					p.put(from, storage.Always())
					r := p.next(from)
					r.Key, r.UpdatedAt = target.Key, target.ExpiresAt.Add(late)
					p.move(from.Key, r, storage.IfVersion(from.Version, p.now))
					p.absent(from.Key)
					// Its time of writing is no whole second here, and only the expiry is kept more exactly than that.
					seen, _ := p.get(r.Key)
					seen.UpdatedAt = r.UpdatedAt
					p.same("the moved record", r, seen)
				}
			},
		},
		{
			id: "D-MOVE-04", name: "AlwaysOverwritesTarget", needs: driverNeedsMover,
			rule: "Under Always, Move replaces whatever is under the new key.",
			run: func(p *driverProbe) {
				from, target := p.stored(), p.leased()
				r := p.next(from)
				r.Key = target.Key
				p.move(from.Key, r, storage.Always())
				p.absent(from.Key)
				p.holds(r)
			},
		},
		{
			id: "D-MOVE-05", name: "MissingSource", needs: driverNeedsMover,
			rule: "Where there is nothing under the old key, a condition about it is a conflict without a record, and nothing is stored; Always stores.",
			run: func(p *driverProbe) {
				for _, c := range []storage.Condition{
					storage.IfLive(p.now),
					storage.IfVersion(storage.NewVersion(), p.now),
					storage.IfLease(p.lease().ID),
				} {
					r := p.record(p.key())
					p.conflict(p.tryMove(p.ctx, p.key(), r, c), nil)
					p.absent(r.Key)
				}
				r := p.record(p.key())
				p.move(p.key(), r, storage.Always())
				p.holds(r)
			},
		},
		{
			id: "D-MOVE-06", name: "TooLarge", needs: driverNeedsMover | driverNeedsTooLarge,
			rule: "A record that is too large to be moved is a *TooLargeError, and both keys stay as they are.",
			run: func(p *driverProbe) {
				from := p.stored()
				r := p.next(from)
				r.Key, r.Data = p.key(), driverBytes(p.options.tooLarge)
				if err := p.tryMove(p.ctx, from.Key, r, storage.IfVersion(from.Version, p.now)); !driverRefusal(err) {
					p.failf("a *storage.TooLargeError was due, and the result was: %v", err)
				}
				p.holds(from)
				p.absent(r.Key)
			},
		},
		{
			id: "D-MOVE-07", name: "AgainstDelete", needs: driverNeedsMover,
			rule: "A move against a delete of what is moved never leaves both records, and leaves the new one exactly if the move succeeded.",
			run: func(p *driverProbe) {
				for range driverRounds {
					from := p.stored()
					r := p.next(from)
					r.Key = p.key()
					var err error
					p.together(2, func(i int) {
						if i == 0 {
							p.delete(from.Key, storage.Always())
							return
						}
						err = p.tryMove(p.ctx, from.Key, r, storage.IfVersion(from.Version, p.now))
					})
					p.absent(from.Key)
					if err != nil {
						p.conflict(err, nil)
						p.absent(r.Key)
					} else {
						p.holds(r)
					}
				}
			},
		},
		{
			id: "D-MOVE-08", name: "OneOfManyMoves", needs: driverNeedsMover,
			rule: "Of the moves of one record at the same time, exactly one succeeds, and the others leave nothing.",
			run: func(p *driverProbe) {
				for range driverRounds {
					from := p.stored()
					targets := make([]storage.Record, driverWriters)
					errs := make([]error, driverWriters)
					p.together(driverWriters, func(i int) {
						targets[i] = p.next(from)
						targets[i].Key = p.key()
						errs[i] = p.tryMove(p.ctx, from.Key, targets[i], storage.IfVersion(from.Version, p.now))
					})
					moved := 0
					for i, err := range errs {
						if err == nil {
							moved++
							p.holds(targets[i])
						} else {
							p.conflict(err, nil)
							p.absent(targets[i].Key)
						}
					}
					if moved != 1 {
						p.failf("%d of %d moves succeeded", moved, len(errs))
					}
					p.absent(from.Key)
				}
			},
		},
		{
			id: "D-MOVE-09", name: "AgainstCommit", needs: driverNeedsMover,
			rule: "Of a move and a commit over the same version, exactly one succeeds.",
			run: func(p *driverProbe) {
				for range driverRounds {
					from := p.stored()
					moved, committed := p.next(from), p.next(from)
					moved.Key = p.key()
					var errs [2]error
					p.together(2, func(i int) {
						if i == 0 {
							errs[i] = p.tryMove(p.ctx, from.Key, moved, storage.IfVersion(from.Version, p.now))
						} else {
							errs[i] = p.tryPut(p.ctx, committed, storage.IfVersion(from.Version, p.now))
						}
					})
					switch {
					case errs[0] == nil && errs[1] != nil:
						p.conflict(errs[1], nil)
						p.absent(from.Key)
						p.holds(moved)
					case errs[0] != nil && errs[1] == nil:
						p.conflict(errs[0], &committed)
						p.holds(committed)
						p.absent(moved.Key)
					default:
						p.failf("the move resulted in %v, the commit in %v", errs[0], errs[1])
					}
				}
			},
		},
	}
}
