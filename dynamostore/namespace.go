package dynamostore

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Format implements fmt.Formatter: however a driver is printed, nothing of its client is, which has the credentials.
func (d *Driver) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "dynamostore.Driver of "+d.table.Name)
}

// Namespace implements storage.Driver: it names the prefix and suffix of the table's keys, and not the table, which is
// another after a restore.
func (d *Driver) Namespace() string {
	partition, sort := d.table.PartitionKey, d.table.SortKey
	affixes := []string{partition.Prefix, partition.Suffix, sort.Prefix, sort.Suffix}
	if strings.Join(affixes, "") == "" {
		return ""
	}
	var b strings.Builder
	for _, affix := range affixes { // each with its length, so that no two lists read the same
		b.WriteString(strconv.Itoa(len(affix)) + ":" + affix)
	}
	return b.String()
}
