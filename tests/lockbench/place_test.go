package lockbench_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/boltstore"
	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// place is where the sessions of one measurement are kept, with a driver for each process that shares them.
type place struct {
	engine   string
	drivers  []storage.Driver
	tally    *tally
	recorder *dynamotest.Recorder // nil where the place is not DynamoDB
}

// engines make places for so many processes.
var engines = []struct {
	name string
	open func(t testing.TB, processes int) *place
}{
	{"memory", openMemory},
	{"bolt", openBolt},
	{"dynamodb", openDynamoDB},
}

func openMemory(_ testing.TB, processes int) *place {
	return shared("memory", memory.New(), processes, 0)
}

// openSlowMemory is for synctest, where the time that a call takes is free, and where without it all happens at once.
func openSlowMemory(processes int) *place {
	return shared("memory", memory.New(), processes, 5*time.Millisecond)
}

func openBolt(t testing.TB, processes int) *place {
	t.Helper()
	driver, err := boltstore.OpenDriver(filepath.Join(t.TempDir(), "sessions.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := driver.Close(); err != nil {
			t.Error(err)
		}
	})
	return shared("bolt", driver, processes, 0)
}

// shared is a place in this process: its processes differ in their stores and strategies.
func shared(engine string, driver storage.Driver, processes int, latency time.Duration) *place {
	p := &place{engine: engine, tally: &tally{}}
	for range processes {
		p.drivers = append(p.drivers, counted(driver, p.tally, latency))
	}
	return p
}

func openDynamoDB(t testing.TB, processes int) *place {
	t.Helper()
	p := &place{engine: dynamotest.EngineName(t), tally: &tally{}, recorder: new(dynamotest.Recorder)}
	table := createTable(t)
	for range processes {
		driver, err := dynamostore.NewDriver(dynamotest.Client(t, p.recorder.Install), table)
		if err != nil {
			t.Fatal(err)
		}
		p.drivers = append(p.drivers, counted(driver, p.tally, 0))
	}
	return p
}

func createTable(t testing.TB) dynamostore.Table {
	t.Helper()
	client := dynamotest.Client(t)
	table := dynamostore.Table{Name: dynamotest.TableName(t, client)}
	if err := table.Create(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	return table
}

// reset begins a measurement.
func (p *place) reset() {
	p.tally.reset()
	if p.recorder != nil {
		p.recorder.Reset()
	}
}

// units are the capacity units that DynamoDB bills. It reports none for a write that it has refused; that is billed
// like a write, which is 1 unit for each of the small sessions here.
type units struct{ read, write float64 }

// cost returns what was used since reset. The calls of drivers must be what DynamoDB has seen.
func (p *place) cost(t testing.TB) (count, units) {
	t.Helper()
	counted := p.tally.read()
	if p.recorder == nil {
		return counted, units{}
	}
	used := units{write: float64(counted.Refused)}
	seen := 0
	for operation, calls := range p.recorder.Calls() {
		seen += calls
		if operation == "GetItem" {
			used.read += p.recorder.Units(operation)
		} else {
			used.write += p.recorder.Units(operation)
		}
	}
	if seen != counted.Calls {
		t.Errorf("%d calls of the drivers were %d calls to DynamoDB: %v", counted.Calls, seen, p.recorder.Calls())
	}
	return counted, used
}
