package gcrunner

import (
	"math"
	"sync"
)

// estimate is what operations are expected to cost, learnt from what they have cost.
type estimate struct {
	mu         sync.Mutex
	readUnits  float64 // for each record that is looked at; 0 while not known
	writeUnits float64 // for each delete
	// units were consumed by reading records.
	units   float64
	records int
	// indexed is what each delete consumes in an index, and byIndex whether nothing but that is read: then sessions are
	// as large as deleting them says, or those of a sample.
	indexed     float64
	byIndex     bool
	deleteUnits float64
	deletes     int
	samples     int // asked for
	sampleBytes int // of sampleN sessions
	sampleN     int
}

const (
	// pageShare is the largest part of a second's read units that a page may consume: a second then contains at most
	// one page more than it should, which is a twentieth.
	pageShare = 1.0 / 20
	// mostPageUnits is what a page is to consume at most, a little less than the 128 units of the service's limit of 1
	// MB: it then has as many records as were asked for. Engines for tests read all that is asked for, whatever fits.
	mostPageUnits = 115
	// wholePageUnits is what 1 MB consumes, where the service ends a page.
	wholePageUnits = 128
	// bytesPerReadUnit is what an eventually consistent read gets for a unit.
	bytesPerReadUnit = 8192
	// bytesPerWriteUnit is what a write gets for a unit.
	bytesPerWriteUnit = 1024
)

// wholePage is the limit of a page that ends where the service ends it.
const wholePage = 0

// pageLimit is how many records a page may hold that may consume units. Where there is no bound, and records
// are so large that a whole page has no more than pageSize, it is a whole page: a limit that changes nothing costs time
// on some engines.
func (e *estimate) pageLimit(units float64, pageSize int) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.readUnits > 0 && math.IsInf(units, 1) && wholePageUnits/e.readUnits <= float64(pageSize):
		return wholePage
	case e.readUnits > 0:
		units = min(units, mostPageUnits)
	case math.IsInf(units, 1):
		return pageSize
	default:
		return 1 // which may have 400 KB
	}
	return int(min(max(units/e.readUnits, 1), float64(pageSize)))
}

// page is what a page of limit records is expected to consume.
func (e *estimate) page(limit int) float64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if limit == wholePage {
		return wholePageUnits
	}
	return e.readUnits * float64(limit)
}

// read notes what reading records has consumed. It believes at once that records are larger than they were, and slowly
// that they are smaller.
func (e *estimate) read(records int, units float64) {
	if records == 0 || units == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	each := units / float64(records)
	e.readUnits = max(each, (e.readUnits+each)/2)
	e.units += units
	e.records += records
	switch {
	case e.writeUnits > 0:
	case e.byIndex:
		e.writeUnits = 1 + e.indexed
	default:
		e.writeUnits = math.Ceil(each*bytesPerReadUnit/bytesPerWriteUnit) + e.indexed
	}
}

// write is what a delete is expected to consume.
func (e *estimate) write() float64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return max(e.writeUnits, 1)
}

// wrote notes what a delete has consumed.
func (e *estimate) wrote(units float64) {
	if units == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.writeUnits += (units - e.writeUnits) / 4
	e.deleteUnits += units
	e.deletes++
}

// takeSample reports whether a dry run is to read another session.
func (e *estimate) takeSample() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.samples == maxSamples || e.units == 0 {
		return false
	}
	e.samples++
	return true
}

// sampled notes the size of a session, in bytes.
func (e *estimate) sampled(bytes int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sampleBytes += bytes
	e.sampleN++
}

// size is how many bytes a record has in the mean, 0 where that is not known.
func (e *estimate) size() float64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.sampleN > 0:
		return float64(e.sampleBytes) / float64(e.sampleN)
	case e.byIndex:
		return max(0, e.deleteUnits/float64(max(e.deletes, 1))-e.indexed) * bytesPerWriteUnit
	}
	return e.units * bytesPerReadUnit / float64(max(e.records, 1))
}
