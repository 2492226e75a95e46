package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/scsdynamo/scsdynamo/config"
)

// target is what a command deletes all sessions of.
type target struct {
	name string // which confirms it: that of the table, or the path of the file
	text string // all that tells it from others
}

// targetOf says where the sessions are that a configuration leads to.
func targetOf(ctx context.Context, cfg *config.Config) (target, error) {
	if onBolt(cfg) {
		path := text(cfg, "bolt.path")
		return target{path, "the file " + path}, nil
	}
	client, err := cfg.Client(ctx)
	if err != nil {
		return target{}, err
	}
	table, options := cfg.Table(), client.Options()
	arn, account := table.Name, "not known"
	if description, err := table.Describe(ctx, client); err == nil { // Whoever may delete items may not be allowed to.
		arn = description.ARN
	}
	if parts := strings.Split(arn, ":"); len(parts) == 6 && parts[4] != "" {
		account = parts[4]
	}
	where := []string{"the table " + table.Name, "region " + options.Region, "account " + account}
	if endpoint := aws.ToString(options.BaseEndpoint); endpoint != "" {
		where = append(where, "endpoint "+endpoint)
	}
	if key := table.PartitionKey; key.Prefix != "" || key.Suffix != "" {
		where = append(where, fmt.Sprintf("keys %q...%q", key.Prefix, key.Suffix))
	}
	return target{table.Name, strings.Join(where, ", ")}, nil
}

// confirm is the flag that confirms it.
func (t target) confirm() string { return "--confirm " + shellWord(t.name) }

// shellWord returns a word as a shell takes it.
func shellWord(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:-"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
