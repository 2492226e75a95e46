package config_test

import (
	"testing"

	"github.com/scsdynamo/scsdynamo/config"
)

// What Kubernetes sets for Services whose names begin with ours keeps no program from starting, and is told of.
func TestServiceLinksAreIgnored(t *testing.T) {
	t.Parallel()
	links := []string{
		"SCSDYNAMO_SERVICE_HOST=10.0.0.1",
		"SCSDYNAMO_SERVICE_PORT=80",
		"SCSDYNAMO_SERVICE_PORT_HTTP=80",
		"SCSDYNAMO_SERVICE_PORT_METRICS_2=9464",
		"SCSDYNAMO_PORT=tcp://10.0.0.1:80",
		"SCSDYNAMO_PORT_80_TCP=tcp://10.0.0.1:80",
		"SCSDYNAMO_PORT_80_TCP_PROTO=tcp",
		"SCSDYNAMO_PORT_80_TCP_PORT=80",
		"SCSDYNAMO_PORT_80_TCP_ADDR=10.0.0.1",
		"SCSDYNAMO_PORT_53_UDP=udp://[fd00::1]:53",
		"SCSDYNAMO_PORT_53_UDP_PROTO=udp",
		"SCSDYNAMO_PORT_53_UDP_ADDR=fd00::1",
		"SCSDYNAMO_PORT_9_SCTP=sctp://10.0.0.1:9",
		"SCSDYNAMO_GCRUNNER_SERVICE_HOST=fd00::1",
		"SCSDYNAMO_GCRUNNER_PORT=tcp://[fd00::1]:9464",
		"SCSDYNAMO_TABLE_NAME_SERVICE_HOST=10.0.0.2",
		"SCSDYNAMO_DYNAMODB_PORT_8000_TCP=tcp://10.0.0.2:8000",
	}
	cfg, err := load(t, config.WithEnviron(append(links, "SCSDYNAMO_TABLE_NAME=web")))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Table().Name != "web" {
		t.Errorf("the table is %q", cfg.Table().Name)
	}
	warnings := cfg.Warnings()
	if len(warnings) != 1 || warnings[0].Source.Kind != "environment" {
		t.Errorf("told is %v", warnings)
	}
}
