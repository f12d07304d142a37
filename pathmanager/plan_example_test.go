package pathmanager_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/signal"

	"github.com/multipath-go/mptcp/pathmanager"
)

// Show what would be done, do it, and undo it, which may be in another process.
func ExampleConfig_Plan() {
	config := pathmanager.Config{Mode: pathmanager.Handover, Costly: []string{"wwan*"}}
	plan, err := config.Plan()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(plan) // one change in a line, with the command that does the same
	if err := plan.Apply(); err != nil {
		log.Fatal(err)
	}

	undo, err := config.Removal()
	if err != nil {
		log.Fatal(err)
	}
	if err := undo.Apply(); err != nil {
		log.Fatal(err)
	}
}

// A daemon that lets connections wander from Wi-Fi to LTE and back.
func ExampleManager_Run() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	m := pathmanager.Manager{
		Config: pathmanager.Config{Mode: pathmanager.Handover},
		Logger: slog.Default(),
	}
	if err := m.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
