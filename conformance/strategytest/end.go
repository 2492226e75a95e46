package strategytest

import (
	"time"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
)

// endCases are about sessions that end while a request has them: I2, I3 and I7.
func endCases() []testCase {
	// ended is the case of a session that ends in some way between the read and the commit.
	ended := func(id, name, rule string, end func(p *probe)) testCase {
		return testCase{id: id, name: name, rule: rule, run: func(p *probe) {
			for _, as := range []func(*lockstrategy.Request){reading, locking} {
				before := p.start("first")
				v := p.process("one").open(as)
				end(p)
				p.wantGone(v.commit("ours"))
				if record, values := p.stored(p.key); values != nil && record.Version != before.Version {
					p.Fatalf("the session is back")
				}
				v.end()
				p.remove()
			}
		}}
	}
	return []testCase{
		ended("L-I2-01", "DeletedMeanwhile",
			"the commit of a session that somebody has deleted since is refused with ErrSessionGone",
			func(p *probe) { p.remove() }),
		ended("L-I2-02", "ExpiredMeanwhile",
			"the commit of a session that has expired since is refused with ErrSessionGone",
			func(p *probe) { p.pass(24 * time.Hour) }),
		ended("L-I2-03", "CollectedMeanwhile",
			"the commit of a session that has expired and was collected since is refused with ErrSessionGone",
			func(p *probe) { p.pass(24 * time.Hour); p.remove() }),
		{
			id: "L-I2-04", name: "DeletedBetweenCommits",
			rule: "what a request has made or stored itself is not brought back either once somebody has deleted it",
			run: func(p *probe) {
				proc := p.process("one")
				drawn := proc.draw()
				drawn.mustCommit("one")
				p.remove()
				p.wantGone(drawn.commit("two"))
				p.wantStored()
				drawn.end()

				p.start("first")
				v := proc.open()
				v.mustCommit("one")
				p.remove()
				p.wantGone(v.commit("two"))
				p.wantStored()
			},
		},
		{
			id: "L-I3-01", name: "DeleteWins",
			rule: "a delete takes effect at once, whoever has the session",
			run: func(p *probe) {
				p.oneAndTwo(func(first, second *process) {
					p.start("first")
					holder := first.open()
					other := second.open(reading)
					if err := other.delete(other.ctx); err != nil {
						p.Fatalf("the delete failed: %v", err)
					}
					p.wantStored()
					other.end()
					holder.end()
					p.wantStored()
				})
			},
		},
		{
			id: "L-I7-01", name: "CommitEscapesCollection",
			rule: "a session that was committed after a collector has read it is not what the collector may delete",
			run: func(p *probe) {
				before := p.start("first")
				v := p.process("one").open()
				v.mustCommit("ours")
				p.collect(before)
				p.wantStored("first", "ours")
				v.mustCommit("more")
				p.wantStored("first", "ours", "more")
			},
		},
		{
			id: "L-I7-02", name: "TouchEscapesCollection",
			rule: "a session whose expiry was moved after a collector has read it is not what the collector may delete",
			run: func(p *probe) {
				before := p.start("first")
				v := p.process("one").open()
				v.mustTouch(48 * time.Hour)
				p.collect(before)
				p.wantStored("first")
			},
		},
	}
}

// collect deletes the record as a collector does that has read it as before, a moment after it would have expired.
func (p *probe) collect(before storage.Record) {
	err := p.driver.Delete(p.ctx, p.key, storage.IfUnchanged(before))
	p.Note("a collector deletes what it has read before", resultOf(err))
}

func resultOf(err error) string {
	if err != nil {
		return err.Error()
	}
	return "done"
}
