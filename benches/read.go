// The peer that Go programs use, golang.org/x/oauth2's ReuseTokenSource, written anew as that package documents it: a mutex around the
// token and its expiry check, held while a new one is fetched. The module itself cannot be had without a network.
//
//	peer read GOROUTINES MILLISECONDS CORES   nanoseconds for one Token() on one core
//	peer renewal SECONDS RENEWAL_MS           longest and p99.9 wait in microseconds, of 16 readers, while the token expires once
package main

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const expiryDelta = 10 * time.Second

type token struct {
	accessToken string
	expiry      time.Time
}

func (t *token) valid() bool {
	return t != nil && t.accessToken != "" && time.Now().Before(t.expiry.Add(-expiryDelta))
}

type reusingSource struct {
	fetch func() *token
	lock  sync.Mutex
	last  *token
}

func (s *reusingSource) token() *token {
	s.lock.Lock()
	defer s.lock.Unlock()
	if !s.last.valid() {
		s.last = s.fetch()
	}
	return s.last
}

// The wall clock alone, as a token that came over the network has it.
func living(life time.Duration) *token {
	return &token{"an access token", time.Now().Add(life).Round(0)}
}

var used uint64

func nsPerRead(source *reusingSource, threads int, span time.Duration, cores int) float64 {
	var over atomic.Bool
	var done int64
	var running sync.WaitGroup
	began := time.Now()
	for i := 0; i < threads; i++ {
		running.Add(1)
		go func() {
			defer running.Done()
			var mine int64
			var sum uint64
			for !over.Load() {
				for i := 0; i < 1000; i++ {
					sum += uint64(source.token().accessToken[0])
				}
				mine += 1000
			}
			atomic.AddInt64(&done, mine)
			atomic.AddUint64(&used, sum)
		}()
	}
	time.Sleep(span)
	over.Store(true)
	running.Wait()
	if threads < cores {
		cores = threads
	}
	return float64(time.Since(began).Nanoseconds()) * float64(cores) / float64(done)
}

// Each reader reads every millisecond. After a second the token has expired. A reader that was kept waiting has missed reads: each
// would have waited until the same moment, and counts.
func waits(renewal, span time.Duration) []float64 {
	source := &reusingSource{last: living(expiryDelta + time.Second)}
	source.fetch = func() *token {
		time.Sleep(renewal)
		return living(time.Hour)
	}
	var all []float64
	var lock sync.Mutex
	var running sync.WaitGroup
	end := time.Now().Add(span)
	for i := 0; i < 16; i++ {
		running.Add(1)
		go func() {
			defer running.Done()
			var mine []float64
			for time.Now().Before(end) {
				began := time.Now()
				source.token()
				wait := float64(time.Since(began).Nanoseconds()) / 1e3
				mine = append(mine, wait)
				for wait > 1000 {
					wait -= 1000
					mine = append(mine, wait)
				}
				time.Sleep(time.Millisecond)
			}
			lock.Lock()
			all = append(all, mine...)
			lock.Unlock()
		}()
	}
	running.Wait()
	sort.Float64s(all)
	return all
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return n
}

func main() {
	first, second := number(os.Args[2]), number(os.Args[3])
	if os.Args[1] == "read" {
		source := &reusingSource{last: living(time.Hour)}
		fmt.Printf("%.2f\n", nsPerRead(source, first, time.Duration(second)*time.Millisecond, number(os.Args[4])))
	} else {
		all := waits(time.Duration(second)*time.Millisecond, time.Duration(first)*time.Second)
		fmt.Printf("%.1f %.1f\n", all[len(all)-1], all[len(all)*999/1000])
	}
}
