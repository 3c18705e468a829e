package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
)

// printFigures fills in what follows from the samples and prints the notes and the table.
func printFigures(w io.Writer, all []figure) error {
	for i := range all {
		for _, line := range all[i].Notes {
			fmt.Fprintln(w, line)
		}
	}
	fmt.Fprintln(w, "\nMedians of both sides measured in turns. The comparison is the median over the rounds; in brackets the 95 % interval.")
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "\tagainst\treference\tcapsule\tcomparison\t\ttarget\t")
	last := ""
	for i := range all {
		f := &all[i]
		if f.Section != last {
			fmt.Fprintf(t, "%s\t\t\t\t\t\t\t\n", strings.ToUpper(f.Section))
			last = f.Section
		}
		fmt.Fprintln(t, f.line())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return summarise(w, all)
}

// summarise repeats what did not meet its target.
func summarise(w io.Writer, all []figure) error {
	count := map[string]int{}
	var lines []string
	for _, f := range all {
		count[f.Verdict]++
		if f.Verdict == "missed" || f.Verdict == "unclear" {
			lines = append(lines, fmt.Sprintf("  %s: %s, %s: target %s", f.Verdict, f.Section, strings.TrimSpace(f.Name), f.TargetText))
		}
	}
	_, err := fmt.Fprintf(w, "\ntargets: %d met, %d missed, %d unclear (the median misses, its interval reaches the target)\n%s",
		count["met"], count["missed"], count["unclear"], strings.Join(append(lines, ""), "\n"))
	return err
}

func (f *figure) line() string {
	value := func(v float64) string { return strings.TrimSpace(number(v) + " " + f.Unit) }
	cells := []string{"  " + f.Name, f.Against, "", value(median(f.Capsule)), "", "", "", ""}
	if f.Compare != absent {
		c := f.compared()
		f.Median = median(c)
		low, high := interval(c)
		f.TargetText, f.Verdict = f.target.text, f.target.verdict(f.Median, low, high)
		cells[2] = value(median(f.Reference))
		if f.Compare == ratio {
			cells[4], cells[5] = fmt.Sprintf("× %.3f", f.Median), fmt.Sprintf("[%.3f, %.3f]", low, high)
		} else {
			cells[4] = strings.TrimSpace(signed(f.Median) + " " + f.Unit)
			cells[5] = fmt.Sprintf("[%s, %s]", signed(low), signed(high))
		}
		cells[6], cells[7] = f.TargetText, f.Verdict
	}
	return strings.Join(cells, "\t")
}

func signed(v float64) string {
	if v >= 0 {
		return "+" + number(v)
	}
	return number(v)
}

// number prints about four significant digits, and no fewer than are known of small values.
func number(v float64) string {
	switch a := max(v, -v); {
	case a >= 1000:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

func writeJSON(file string, all []figure) error {
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("encode figures: %w", err)
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write figures: %w", err)
	}
	return nil
}
