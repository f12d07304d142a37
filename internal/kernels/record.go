package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/multipath-go/mptcp/internal/kernels/wire"
)

// keep writes what the kernels have recorded, and what this machine's says, to
// the directory of package recorded, in the place of what is there.
func keep(ctx context.Context, dir, survey string, list []*judgement) error {
	all := make(map[string]map[string][]byte)
	for _, j := range list {
		if j.said.Facts != nil {
			all[j.series()] = j.said.Facts.Recorded
		}
	}
	series, here, err := recordHere(ctx, survey)
	if err != nil {
		return err
	}
	if all[series] == nil { // of the same series: the one that everybody can run
		all[series] = here
	}
	old, err := filepath.Glob(filepath.Join(dir, "*", "*.bin"))
	for _, name := range old {
		err = errors.Join(err, os.Remove(name))
	}
	for series, answers := range all {
		err = errors.Join(err, os.MkdirAll(filepath.Join(dir, series), 0o777))
		for name, b := range answers {
			err = errors.Join(err, os.WriteFile(filepath.Join(dir, series, name+".bin"), b, 0o666))
		}
	}
	return err
}

// recordHere has the survey ask the kernel of this machine.
func recordHere(ctx context.Context, survey string) (series string, answers map[string][]byte, err error) {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, survey, "-record")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w: %s", cmd, err, stderr.Bytes())
	}
	facts, ok := strings.CutPrefix(string(out), wire.FactsMark)
	var f wire.Facts
	if err := json.Unmarshal([]byte(facts), &f); !ok || err != nil || f.RecordedError.Text != "" {
		return "", nil, fmt.Errorf("%s: %q, %w, %s", cmd, out, err, f.RecordedError.Text)
	}
	return seriesOf(string(release)), f.Recorded, nil
}
