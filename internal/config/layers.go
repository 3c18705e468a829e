package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/internal/regular"
	"github.com/capsule-run/capsule-run/internal/trust"
)

// Sources are where to look.
type Sources struct {
	// System is the administrator's file, SystemFile; it need not exist.
	System string
	// Getenv tells XDG_CONFIG_DIRS, XDG_CONFIG_HOME and HOME (XDG Base Directory Specification 0.8).
	Getenv func(string) string
	// Explicit is the file of --config, which must exist; empty: none.
	Explicit string
	Game     Game
}

// Config is what all files together say about a launch.
type Config struct {
	Options
	// Origins tell where each value comes from, in the order in which they were read. What a later one has taken the
	// place of is Overridden.
	Origins []Origin
}

// Origin of a value.
type Origin struct {
	Key, Value string
	From       string // the file, and the section of the game if it is in one
	Overridden bool
}

// From names the file that a key's value comes from, empty if none has it.
func (c *Config) From(key string) string {
	for _, o := range slices.Backward(c.Origins) {
		if o.Key == key || strings.HasPrefix(o.Key, key+".") {
			return o.From
		}
	}
	return ""
}

// Load reads all files and puts them together. What counts least comes first: the administrator's file, those of
// XDG_CONFIG_DIRS, the user's; then what these say about the game, in the same order; last --config, and what it says about
// the game. Of two strings the later wins, lists are joined, of tables each key is by itself. An error names file and
// line.
func Load(s Sources) (*Config, error) {
	c, home := &Config{}, s.Getenv("HOME")
	standing, err := s.standing()
	if err != nil {
		return nil, err
	}
	for _, f := range standing {
		c.add(f, &f.Options, home, f.name)
	}
	for _, f := range standing {
		c.games(f, s.Game, home)
	}
	if s.Explicit != "" {
		text, err := regular.Read(s.Explicit, maxSize)
		if err != nil {
			return nil, wrong(fmt.Errorf("read configuration: %w", err), "give --config the path of a TOML file")
		}
		f, err := parse(s.Explicit, string(text), false)
		if err != nil {
			return nil, err
		}
		c.add(f, &f.Options, home, f.name)
		c.games(f, s.Game, home)
	}
	return c, nil
}

// standing reads the files that every launch looks for.
func (s *Sources) standing() ([]*file, error) {
	var out []*file
	f, err := readSystem(s.System, false)
	if err != nil {
		return nil, err
	}
	if f != nil {
		out = append(out, f)
	}
	for _, name := range s.users() {
		text, err := trust.Read(name, trust.User, maxSize)
		if trust.Missing(err, trust.User) {
			continue
		}
		if err != nil {
			return nil, unreadable(name, err)
		}
		f, err := parse(name, string(text), false)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// users are the files by the XDG Base Directory Specification, what counts most last. Relative directories are ignored, as
// it says.
func (s *Sources) users() []string {
	dirs := s.Getenv("XDG_CONFIG_DIRS")
	if dirs == "" {
		dirs = "/etc/xdg"
	}
	all := strings.Split(dirs, ":")
	slices.Reverse(all)
	if dir := s.Getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		all = append(all, dir)
	} else if home := s.Getenv("HOME"); filepath.IsAbs(home) {
		all = append(all, filepath.Join(home, ".config"))
	}
	var out []string
	for _, dir := range all {
		name := filepath.Join(dir, "capsule-run", "config.toml")
		if filepath.IsAbs(dir) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

func (c *Config) games(f *file, g Game, home string) {
	for _, pattern := range f.order {
		if o := f.Game[pattern]; g.matches(pattern, home) {
			c.add(f, &o, home, fmt.Sprintf("%s, [game.%q]", f.name, pattern))
		}
	}
}

// add merges field by field, so that a further key needs a field and nothing else.
func (c *Config) add(f *file, o *Options, home, from string) {
	to, add := reflect.ValueOf(&c.Options).Elem(), reflect.ValueOf(o).Elem()
	for i := range to.NumField() {
		field := to.Type().Field(i)
		key, path := field.Tag.Get("toml"), field.Tag.Get("path")
		switch v := add.Field(i).Interface().(type) {
		case string:
			if v == "" {
				continue
			}
			v = resolve(path, f.name, home, v)
			c.override(key)
			c.Origins = append(c.Origins, Origin{Key: key, Value: v, From: from})
			to.Field(i).SetString(v)
		case *bool:
			if v == nil {
				continue
			}
			c.override(key)
			c.Origins = append(c.Origins, Origin{Key: key, Value: fmt.Sprint(*v), From: from})
			to.Field(i).Set(add.Field(i))
		case []string:
			list := slices.Clone(to.Field(i).Interface().([]string))
			for _, item := range v {
				item = resolve(path, f.name, home, item)
				c.Origins = append(c.Origins, Origin{Key: key, Value: item, From: from})
				list = append(list, item)
			}
			to.Field(i).Set(reflect.ValueOf(list))
		case map[string]string:
			table := maps.Clone(to.Field(i).Interface().(map[string]string))
			for _, name := range slices.Sorted(maps.Keys(v)) {
				if table == nil {
					table = map[string]string{}
				}
				c.override(key + "." + name)
				c.Origins = append(c.Origins, Origin{Key: key + "." + name, Value: v[name], From: from})
				table[name] = v[name]
			}
			to.Field(i).Set(reflect.ValueOf(table))
		default:
			panic("config: no rule to merge " + field.Name)
		}
	}
}

func (c *Config) override(key string) {
	for i := range c.Origins {
		if c.Origins[i].Key == key {
			c.Origins[i].Overridden = true
		}
	}
}

// resolve makes a value's path absolute, as its field's tag says.
func resolve(kind, name, home, value string) string {
	base := filepath.Dir(name)
	switch kind {
	case "plain":
		return below(base, home, value)
	case "bind": // SRC[:DST[:ro|rw]]
		src, _, _ := strings.Cut(value, ":")
		return below(base, home, src) + value[len(src):]
	case "or name": // a word may be what `capsule-run runtime add` calls a runtime
		path := below(base, home, value)
		if _, err := os.Lstat(path); err != nil && !strings.ContainsAny(value, "/:") {
			return value
		}
		return path
	}
	return value
}
