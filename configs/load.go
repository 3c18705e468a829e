package configs

import (
	"slices"

	"github.com/capsule-run/capsule-run/internal/tomlfile"
)

// ruleset is a set of rules of one form: Rules, Devices.
type ruleset[T any] interface {
	*T
	// check refuses what would only fail, or be overlooked, when a host is searched.
	check(c *checker) error
	// apply changes the set by what a later file says.
	apply(later *T, c *checker) error
}

// parse reads one file. The error names it and the line; an unknown key is an error.
func parse[T any, P ruleset[T]](s Source) (P, *checker, error) {
	out, c := P(new(T)), &checker{file: s.Name, text: string(s.Text), at: headers(string(s.Text))}
	_, err := tomlfile.Decode(s.Name, c.text, out)
	if err == nil {
		err = out.check(c)
	}
	if err != nil {
		return nil, nil, err
	}
	return out, c, nil
}

// merge reads files, of which each may change what came before it.
func merge[T any, P ruleset[T]](sources []Source) (P, error) {
	out := P(new(T))
	for _, s := range sources {
		later, c, err := parse[T, P](s)
		if err == nil {
			err = out.apply(later, c)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// changed is a list that a later file's tables change: one with a known name takes the place of the earlier, or takes it out.
func changed[T any](c *checker, table string, list, later []T, of func(*T) (name string, remove bool)) ([]T, error) {
	for n := range later {
		name, remove := of(&later[n])
		i := slices.IndexFunc(list, func(x T) bool { have, _ := of(&x); return have == name })
		switch {
		case i < 0 && remove:
			return nil, c.wrong(c.lineOf("", 0, table, n), "there is no %s %s to remove", table, name)
		case remove:
			list = slices.Delete(list, i, i+1)
		case i >= 0:
			list[i] = later[n]
		default:
			list = append(list, later[n])
		}
	}
	return list, nil
}
