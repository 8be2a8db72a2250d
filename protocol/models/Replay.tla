------------------------------- MODULE Replay -------------------------------
(* A signed request runs at most once on a node, whatever the network, the     *)
(* clock and the power supply do.                                              *)
(*                                                                             *)
(* REQ: CWP-13.6-1 CWP-13.6-5 CWP-13.6-6 CWP-13.6-7 CWP-13.6-8 CWP-13.6-9      *)
(* REQ: CWP-13.6-10 CWP-13.6-12 CWP-13.6-13 CWP-13.4-1                         *)
(*                                                                             *)
(* Bounds: the constants: Ids requests of one caller, each signed at any time  *)
(* of 0..MaxT in two encodings (an ECDSA signature can be changed into another *)
(* that verifies); MaxBack settings back of the clock by any amount, MaxRestart*)
(* restarts and kills of the program, MaxCrash crashes of the machine;         *)
(* Capacity entries of the guard. What was ever sent may come at any time, any *)
(* number of times, in any order.                                              *)
(*                                                                             *)
(* Properties                                                                  *)
(*   RunsOnce     no id runs twice, in whatever encoding                       *)
(*   RunsFresh    what runs was fresh by the greatest clock that the node knew *)
(*   Remembered   an entry leaves only when its request cannot be fresh again  *)
(*   Bounded      the guard never holds more than Capacity                     *)
(*                                                                             *)
(* Abstractions: time in units of which Ttl and Skew are a few; the cap on TTL *)
(* is part of Ttl; one caller (keys of several do not meet); authorization and *)
(* filter always pass; a crash loses any tail of what was appended since the   *)
(* log was last written anew, and the clock comes back no earlier than it was  *)
(* ever shown (that a crash and a clock set back together may repeat a request *)
(* is a known limit). A restart keeps the greatest clock exactly; a kill keeps *)
(* what the last record says, which is the greatest clock when the last request *)
(* was entered: CWP-13.6-13 says the same, and the properties hold for both.   *)
(* Refusals are not remembered (CWP-13.6-12): that could only make the node    *)
(* more silent.                                                                *)
(*                                                                             *)
(* Mutants: early (evicts one unit early), clock (freshness by the clock as    *)
(* shown), hash (key is the hash of the message), nofloor (nothing refused     *)
(* after a crash), evict (a full guard forgets), blind (two copies judged at   *)
(* once are both entered): each must fail RunsOnce.                            *)
EXTENDS Naturals, Sequences, FiniteSets
CONSTANTS Ids, Encodings, MaxT, Ttl, Skew, Capacity, MaxBack, MaxRestart, MaxCrash,
          Parallel, Rewrite, Exact, Mutant, Recording
VARIABLES now,     \* the wall clock as shown
          high,    \* the greatest that the node saw
          most,    \* the greatest ever shown: a crash does not go behind it
          guard,   \* entries: [id, enc, exp]
          disk,    \* what is safe of the log: [entries, high, floor]
          tail,    \* records appended since: sequence of [id, enc, exp, high]
          floor,   \* whatever was signed before is refused
          sent,    \* requests that the network knows
          judged,  \* those past step 8 and not yet entered
          runs,    \* runs[id]
          stale,   \* something ran that was not fresh
          lost,    \* an entry left although its request could be fresh again
          backs, restarts, crashes, act
vars == <<now, high, most, guard, disk, tail, floor, sent, judged, runs, stale, lost, backs, restarts, crashes, act>>

Max(a, b) == IF a > b THEN a ELSE b
Keyed(r) == IF Mutant = "hash" THEN <<r.id, r.enc>> ELSE <<r.id>>
Note(r) == IF Recording THEN act' = r ELSE UNCHANGED act
W(h, t) == IF Mutant = "clock" THEN t ELSE h
Fresh(created, w, fl) == created <= w + Skew /\ w < created + Ttl /\ created >= fl
Dead(exp, w) == IF Mutant = "early" THEN exp <= w + 1 ELSE exp <= w
Expire(es, w) == {x \in es : ~Dead(x.exp, w)}
Known(es, r) == {x \in es : Keyed(x) = Keyed(r)}
Exp(r) == r.created + Ttl
\* Whether forgetting in the step from old to new is harmless at clock w and floor fl.
Harmless(old, new, w, fl) == \A x \in old \ new : ~(w < x.exp) \/ x.exp - Ttl < fl

Init == /\ now = 0 /\ high = 0 /\ most = 0 /\ guard = {} /\ disk = [entries |-> {}, high |-> 0, floor |-> 0]
        /\ tail = <<>> /\ floor = 0 /\ sent = {} /\ judged = {} /\ runs = [i \in Ids |-> 0]
        /\ stale = FALSE /\ lost = FALSE /\ backs = 0 /\ restarts = 0 /\ crashes = 0 /\ act = [name |-> "init"]

Tick == /\ now < MaxT /\ now' = now + 1 /\ most' = Max(most, now + 1)
        /\ Note([name |-> "clock", now |-> now + 1])
        /\ UNCHANGED <<high, guard, disk, tail, floor, sent, judged, runs, stale, lost, backs, restarts, crashes>>
SetBack(t) == /\ backs < MaxBack /\ t < now /\ now' = t /\ backs' = backs + 1
              /\ Note([name |-> "clock", now |-> t])
              /\ UNCHANGED <<high, most, guard, disk, tail, floor, sent, judged, runs, stale, lost, restarts, crashes>>
\* The caller's clock is its own: it signs with any time. Each id once (CWP-13.4-1); anybody can change the encoding.
Sign(i, t) == /\ ~\E r \in sent : r.id = i
              /\ sent' = sent \cup {[id |-> i, enc |-> e, created |-> t] : e \in Encodings}
              /\ Note([name |-> "sign", id |-> i, created |-> t])
              /\ UNCHANGED <<now, high, most, guard, disk, tail, floor, judged, runs, stale, lost, backs, restarts, crashes>>
Verdict(r, w) == IF r.created > w + Skew THEN "future"
                 ELSE IF ~Fresh(r.created, w, floor) THEN "expired"
                 ELSE IF Known(guard, r) = {} THEN "new"
                 ELSE IF \E x \in Known(guard, r) : x.enc = r.enc THEN "duplicate" ELSE "conflict"
\* Step 13: the test is made again, atomically with entering.
Enter(r, h) ==
  LET w == W(h, now)
      g == Expire(guard, w)
      full == Cardinality(g) >= Capacity
      room == IF Mutant = "evict" /\ full THEN g \ {CHOOSE x \in g : \A y \in g : x.exp <= y.exp} ELSE g
      entry == [id |-> r.id, enc |-> r.enc, exp |-> Exp(r)]
      out == IF Known(g, r) # {} /\ Mutant # "blind"
             THEN (IF \E x \in Known(g, r) : x.enc = r.enc THEN "duplicate" ELSE "conflict")
             ELSE IF full /\ Mutant # "evict" THEN "busy" ELSE "run"
  IN /\ IF out = "run"
        THEN /\ guard' = room \cup {entry} /\ tail' = Append(tail, [id |-> r.id, enc |-> r.enc, exp |-> Exp(r), high |-> h])
             /\ runs' = [runs EXCEPT ![r.id] = @ + 1] /\ stale' = (stale \/ ~Fresh(r.created, h, floor))
        ELSE guard' = g /\ UNCHANGED <<tail, runs, stale>>
     /\ lost' = (lost \/ ~Harmless(guard, IF out = "run" THEN room ELSE g, h, floor))
     /\ Note([name |-> "take", id |-> r.id, enc |-> r.enc, created |-> r.created, out |-> out])
\* One request from the network, judged and entered at once.
Take(r) == LET h == Max(high, now)  v == Verdict(r, W(h, now))
           IN /\ high' = h
              /\ IF v = "new" THEN Enter(r, h)
                 ELSE /\ Note([name |-> "take", id |-> r.id, enc |-> r.enc, created |-> r.created, out |-> v])
                      /\ UNCHANGED <<guard, tail, runs, stale, lost>>
              /\ UNCHANGED <<now, most, disk, floor, sent, judged, backs, restarts, crashes>>
\* The same in two steps, so that copies can be judged side by side.
Judge(r) == /\ Parallel /\ r \notin judged /\ Verdict(r, W(Max(high, now), now)) = "new"
            /\ judged' = judged \cup {r} /\ high' = Max(high, now) /\ Note([name |-> "judge", id |-> r.id, enc |-> r.enc])
            /\ UNCHANGED <<now, most, guard, disk, tail, floor, sent, runs, stale, lost, backs, restarts, crashes>>
\* The clock of step 7 is the clock of step 13 (see Take): a late entry is judged for freshness again.
EnterLate(r) == LET h == Max(high, now)
                IN /\ r \in judged /\ judged' = judged \ {r} /\ high' = h
                   /\ IF Fresh(r.created, W(h, now), floor) THEN Enter(r, h)
                      ELSE Note([name |-> "take", id |-> r.id, enc |-> r.enc, created |-> r.created, out |-> "expired"])
                           /\ UNCHANGED <<guard, tail, runs, stale, lost>>
                   /\ UNCHANGED <<now, most, disk, floor, sent, backs, restarts, crashes>>
\* The log is written anew: all of it is safe from then on.
Compact == /\ Rewrite /\ tail # <<>>
           /\ disk' = [entries |-> guard, high |-> high, floor |-> floor] /\ tail' = <<>>
           /\ Note([name |-> "compact"])
           /\ UNCHANGED <<now, high, most, guard, floor, sent, judged, runs, stale, lost, backs, restarts, crashes>>
\* What a log says: its entries, and the greatest clock that it mentions.
Records(n) == {tail[k] : k \in 1..n}
LogHigh(n) == LET hs == {disk.high} \cup {x.high : x \in Records(n)} IN CHOOSE h \in hs : \A o \in hs : o <= h
LogEntries(n) == disk.entries \cup {[id |-> x.id, enc |-> x.enc, exp |-> x.exp] : x \in Records(n)}
Start(n, known, fl) ==
  LET h == Max(known, now')  w == W(h, now')  g == Expire(LogEntries(n), W(known, now'))
  IN /\ high' = h /\ guard' = Expire(g, w) /\ floor' = fl /\ judged' = {}
     /\ disk' = [entries |-> Expire(g, w), high |-> h, floor |-> fl] /\ tail' = <<>>
     /\ lost' = (lost \/ ~Harmless(guard, Expire(g, w), h, fl))
Restart == /\ restarts < MaxRestart /\ restarts' = restarts + 1 /\ UNCHANGED now
           /\ Start(Len(tail), high, floor) /\ Note([name |-> "restart"])
           /\ UNCHANGED <<most, sent, runs, stale, backs, crashes>>
Kill == /\ ~Exact /\ restarts < MaxRestart /\ restarts' = restarts + 1 /\ UNCHANGED now
        /\ Start(Len(tail), LogHigh(Len(tail)), floor) /\ Note([name |-> "kill"])
        /\ UNCHANGED <<most, sent, runs, stale, backs, crashes>>
Crash(n) == /\ crashes < MaxCrash /\ crashes' = crashes + 1 /\ now' = most
            /\ Start(n, LogHigh(n), IF Mutant = "nofloor" THEN floor ELSE Max(floor, Max(LogHigh(n), most) + Skew + 1))
            /\ Note([name |-> "crash", kept |-> n, now |-> most])
            /\ UNCHANGED <<most, sent, runs, stale, backs, restarts>>

Next == \/ Tick \/ (\E t \in 0..MaxT : SetBack(t)) \/ (\E i \in Ids, t \in 0..MaxT : Sign(i, t))
        \/ (\E r \in sent : Take(r) \/ Judge(r) \/ EnterLate(r))
        \/ Compact \/ Restart \/ Kill \/ (\E n \in 0..Len(tail) : Crash(n))
Spec == Init /\ [][Next]_vars

RunsOnce == \A i \in Ids : runs[i] <= 1
RunsFresh == ~stale
Remembered == ~lost
Bounded == Cardinality(guard) <= Capacity
=============================================================================
