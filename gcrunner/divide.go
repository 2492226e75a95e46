package gcrunner

import (
	"context"
	"math"
	"math/rand/v2"

	"github.com/scsdynamo/scsdynamo/storage"
)

const (
	// manySegments is into how many segments a table is divided that has more than a page, and mostSegments into how
	// many the largest is: the position of each is kept.
	manySegments = 4
	mostSegments = 256
	// segmentBytes is how much of a larger table is in a segment.
	// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-query-scan.html
	segmentBytes = 2 << 30
	// oneSegmentUnits is what one segment can consume in a second: with a budget below it, more of them gain nothing.
	oneSegmentUnits = 1000
	// onePage is how many records a table has at most that is not divided, and probeLimit how many are on a page that
	// is read to find out how large it is otherwise.
	onePage    = 100
	probeLimit = 50
	// probeGrowth is how much finer the next probe of a large table is. Probes of the last size are repeated until they
	// have read enoughProbed records, at most mostProbes times.
	probeGrowth  = 32
	enoughProbed = 20
	mostProbes   = 8
)

// divide decides on the number of segments. It may return the first page of the only one.
//
//	what is known                                      segments
//	the run resumes at a position                      those of the position
//	the source is an index                             its shards
//	CollectorOptions.Segments is set                   as many
//	the table has one page, is not billed by the unit,
//	  or one segment can use up the budget             1
//	none of these                                      one for each 2 GB, from 4 to 256
func (r *run) divide(ctx context.Context) (first *page, err error) {
	if !r.position.IsZero() {
		return nil, nil
	}
	n := r.from.segments()
	if n == 0 {
		n = r.options.Segments
	}
	if n == 0 {
		n, first, err = r.choose(ctx)
		if ctx.Err() != nil {
			return nil, nil // the run was stopped, which says more
		}
		if err != nil {
			return nil, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.position = Position{index: r.from.kind() == SourceIndex, segments: make([]segment, n)}
	return first, nil
}

// choose makes the choices of the last two rows. It may return the first page of the only segment.
func (r *run) choose(ctx context.Context) (segments int, first *page, err error) {
	probe, units, err := r.read(ctx, place{}, onePage)
	if err == nil && probe.Next != "" && probe.size() < onePage { // a budget makes the very first page small
		var more page
		var consumed float64
		more, consumed, err = r.read(ctx, place{start: probe.Next}, onePage)
		probe.Records, probe.Unreadable = append(probe.Records, more.Records...), append(probe.Unreadable, more.Unreadable...)
		probe.Next = more.Next
		units += consumed
	}
	if err != nil {
		return 0, nil, err
	}
	if probe.Next == "" || units == 0 || r.reads.ceiling < oneSegmentUnits {
		return 1, &probe, nil
	}
	bytes, err := r.weigh(ctx)
	if err != nil {
		return 0, nil, err
	}
	r.mu.Lock()
	r.report.ExpectedReadUnits = bytes / bytesPerReadUnit
	r.mu.Unlock()
	return int(min(max(math.Ceil(bytes/segmentBytes), manySegments), mostSegments)), nil, nil
}

// weigh estimates the size of the table. DescribeTable tells it, but needs a right that collectors do not have. weigh
// reads finer and finer segments until one fits on a page: the table is about as large as that page times their number.
func (r *run) weigh(ctx context.Context) (bytes float64, err error) {
	for segments := probeGrowth; ; segments = min(segments*probeGrowth, storage.MaxSegments) {
		bytes, fits, err := r.probe(ctx, segments)
		if err != nil || fits {
			return bytes, err
		}
	}
}

// probe divides the table into this number of segments, and estimates its size from some of them, chosen at random.
// fits is false, and there is no estimate, if the first of them is larger than a page and finer ones are possible.
func (r *run) probe(ctx context.Context, segments int) (bytes float64, fits bool, err error) {
	finest, most := segments == storage.MaxSegments, probeLimit
	if finest {
		most = wholePage
	}
	total, seen := 0.0, 0
	for probes := 1; ; probes++ {
		at := place{segments: segments, segment: rand.IntN(segments)} //nolint:gosec // Any will do.
		probed, units, err := r.read(ctx, at, most)
		if err != nil || probes == 1 && probed.Next != "" && !finest {
			return 0, false, err
		}
		total, seen = total+units, seen+probed.size()
		if seen >= enoughProbed || probes == mostProbes { // more of them make a better mean
			return total / float64(probes) * bytesPerReadUnit * float64(segments), true, nil
		}
	}
}
