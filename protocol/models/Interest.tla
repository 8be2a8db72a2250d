------------------------------ MODULE Interest ------------------------------
(* A cluster of brokers in full mesh: who subscribed is told to every other    *)
(* broker, a message crosses one route at most, a group gets it once. Routes   *)
(* break and heal, and the two ends of one see it at different times.          *)
(*                                                                             *)
(* REQ: CWP-6.7-1 CWP-6.7-2 CWP-6.7-6 CWP-6.8-1 CWP-6.9-12 CWP-6.12-1 CWP-6-5  *)
(* REQ: CWP-14.1-6 CWP-19.3-2 CWP-19.3-3 CWP-19.4-1 CWP-19.4-5 CWP-19.4-7      *)
(* The rules of clusters (draft) that it stands on:                            *)
(*   - a route begins with the whole interest of each side, then has deltas    *)
(*     (CWP-19.3-1)                                                            *)
(*   - each route has a number, greater than those of earlier routes of the    *)
(*     pair; nothing that came on an older route has an effect (CWP-19.2-2,    *)
(*     CWP-19.2-3)                                                             *)
(*   - who loses a route forgets the other side's interest at once (CWP-19.3-5)*)
(*   - ROUTED is never passed on to a route (CWP-19.4-2)                       *)
(*   - the origin picks the member of a group, ROUTED says where (CWP-19.4-4)  *)
(*                                                                             *)
(* Bounds: Brokers, each with one link that may subscribe the subject plainly  *)
(* and one that may in the group; MaxChanges changes of subscriptions, MaxNo   *)
(* routes of a pair one after the other, MaxMessages messages.                 *)
(*                                                                             *)
(* Properties                                                                  *)
(*   NoGhostInterest  with nothing on the way, nobody believes in interest that*)
(*                    is not there; a lost route leaves none                   *)
(*   NoLostInterest   with nothing on the way, a route that both ends hold     *)
(*                    knows all the interest there is                          *)
(*   NoDuplicate      a plain link gets a message once, a group once in all    *)
(*   NoLostMessage    published while all routes are settled, and neither      *)
(*                    route nor subscription changed since: it arrives         *)
(*   Settles          in the end both sides of each route agree (liveness:     *)
(*                    Interest_calm.cfg)                                       *)
(*                                                                             *)
(* Abstractions: one subject, since subjects do not meet; digests are not      *)
(* needed where routes are FIFO and are left out; receipts are left out; local *)
(* members of a group are preferred, else any broker. One route carries        *)
(* interest and messages in order.                                             *)
(*                                                                             *)
(* Mutants: forward (ROUTED is passed on) and everywhere (each broker picks a  *)
(* member of the group) must fail NoDuplicate; keep (interest outlives its     *)
(* route) and stale (frames of an older route still count) must fail           *)
(* NoGhostInterest; deaf (who is called does not tell its own interest) must   *)
(* fail NoLostInterest and Settles.                                            *)
EXTENDS Naturals, Sequences, FiniteSets, TLC
CONSTANTS Brokers, MaxChanges, MaxNo, MaxMessages, StartUp, Mutant, Recording
VARIABLES local,    \* local[b]: what b's own links subscribed, a subset of Kinds
          remote,   \* remote[b][c]: what b believes of c
          cur,      \* cur[b][c]: number of the route that b holds to c, 0: none
          seen,     \* seen[b][c]: the greatest number that b knows
          chan,     \* chan[b][c][i]: on the way from b to c on route i
          made,     \* made[p]: how many routes the pair has had
          changes, published,
          gotPlain, \* gotPlain[b][m]
          gotGroup, \* gotGroup[m], over all brokers
          due,      \* due[m]: brokers whose plain link is owed m, "group" if the group is
          act
vars == <<local, remote, cur, seen, chan, made, changes, published, gotPlain, gotGroup, due, act>>

Symmetry == Permutations(Brokers)
Kinds == {"plain", "group"}
No == 1..MaxNo
Msgs == 1..MaxMessages
Pairs == {p \in SUBSET Brokers : Cardinality(p) = 2}
Others(b) == Brokers \ {b}
Note(r) == IF Recording THEN act' = r ELSE UNCHANGED act
Zero == [b \in Brokers |-> [c \in Brokers |-> 0]]
Up(b, c) == IF StartUp /\ b # c THEN 1 ELSE 0

\* At the beginning either nothing is up, or all is and everybody knows of any interest.
Init == /\ local \in (IF StartUp THEN [Brokers -> SUBSET Kinds] ELSE {[b \in Brokers |-> {}]})
        /\ remote = [b \in Brokers |-> [c \in Brokers |-> IF b = c THEN {} ELSE local[c]]]
        /\ cur = [b \in Brokers |-> [c \in Brokers |-> Up(b, c)]] /\ seen = cur
        /\ chan = [b \in Brokers |-> [c \in Brokers |-> [i \in No |-> <<>>]]]
        /\ made = [p \in Pairs |-> IF StartUp THEN 1 ELSE 0]
        /\ changes = 0 /\ published = {} /\ gotPlain = [b \in Brokers |-> [m \in Msgs |-> 0]]
        /\ gotGroup = [m \in Msgs |-> 0] /\ due = [m \in Msgs |-> {}] /\ act = [name |-> "init"]

All(b) == [kind |-> "all", what |-> local[b], m |-> 0]
\* chan with f appended from b to each of cs, on the routes that b holds.
Sent(ch, b, cs, f) == [ch EXCEPT ![b] = [c \in Brokers |->
   IF c \in cs /\ cur[b][c] # 0 THEN [ch[b][c] EXCEPT ![cur[b][c]] = Append(@, f)] ELSE ch[b][c]]]
Empty(b, c) == cur[b][c] = 0 \/ chan[b][c][cur[b][c]] = <<>>
Settled(a, b) == cur[a][b] # 0 /\ cur[a][b] = cur[b][a] /\ Empty(a, b) /\ Empty(b, a)
\* b's link is owed nothing more after it unsubscribed; nobody is when a route changes.
Forgive(b) == due' = [m \in Msgs |-> due[m] \ {b, "group"}]
ForgiveAll == due' = [m \in Msgs |-> {}]

Change(b, k) ==
  LET now == IF k \in local[b] THEN local[b] \ {k} ELSE local[b] \cup {k}
  IN /\ changes < MaxChanges /\ changes' = changes + 1 /\ local' = [local EXCEPT ![b] = now]
     /\ chan' = Sent(chan, b, Others(b), [kind |-> "delta", what |-> now, m |-> 0])
     /\ Forgive(b) /\ Note([name |-> "change", at |-> b, what |-> now])
     /\ UNCHANGED <<remote, cur, seen, made, published, gotPlain, gotGroup>>
\* b loses its route to c: it closed it, or noticed that c has. (Only where routes can heal.)
Lose(b, c) == /\ MaxNo > 1 /\ cur[b][c] # 0 /\ cur' = [cur EXCEPT ![b][c] = 0]
              /\ remote' = IF Mutant = "keep" THEN remote ELSE [remote EXCEPT ![b][c] = {}]
              /\ ForgiveAll /\ Note([name |-> "lose", at |-> b, to |-> c])
              /\ UNCHANGED <<local, seen, chan, made, changes, published, gotPlain, gotGroup>>
\* What was under way on a route that the receiver has given up may vanish at any time.
Vanish(b, c, i) == /\ chan[b][c][i] # <<>> /\ cur[c][b] # i /\ seen[c][b] >= i
                   /\ chan' = [chan EXCEPT ![b][c][i] = <<>>] /\ Note([name |-> "vanish"])
                   /\ UNCHANGED <<local, remote, cur, seen, made, changes, published, gotPlain, gotGroup, due>>
\* b opens a new route to c, which may still hold the old one.
Open(b, c) == LET p == {b, c}  i == made[p] + 1
              IN /\ cur[b][c] = 0 /\ made[p] < MaxNo /\ made' = [made EXCEPT ![p] = i]
                 /\ cur' = [cur EXCEPT ![b][c] = i] /\ seen' = [seen EXCEPT ![b][c] = i]
                 /\ chan' = [chan EXCEPT ![b][c][i] = Append(@, All(b))]
                 /\ ForgiveAll /\ Note([name |-> "open", at |-> b, to |-> c])
                 /\ UNCHANGED <<local, remote, changes, published, gotPlain, gotGroup>>
\* c takes the next frame that b sent on route i.
Take(b, c, i) ==
  LET f == Head(chan[b][c][i])
      rest == [chan EXCEPT ![b][c][i] = Tail(@)]
      fresh == i > seen[c][b]
      counts == i = cur[c][b] \/ (Mutant = "stale" /\ i < seen[c][b])
  IN /\ chan[b][c][i] # <<>>
     /\ IF fresh THEN \* a new route: c takes it up, in place of an older one
             /\ seen' = [seen EXCEPT ![c][b] = i] /\ cur' = [cur EXCEPT ![c][b] = i]
             /\ remote' = [remote EXCEPT ![c][b] = f.what]
             /\ chan' = IF Mutant = "deaf" THEN rest ELSE [rest EXCEPT ![c][b][i] = Append(@, All(c))]
             /\ ForgiveAll /\ UNCHANGED <<gotPlain, gotGroup>>
        ELSE IF ~counts THEN chan' = rest /\ UNCHANGED <<seen, cur, remote, gotPlain, gotGroup, due>>
        ELSE IF f.kind # "message" THEN
             /\ remote' = [remote EXCEPT ![c][b] = f.what] /\ chan' = rest
             /\ UNCHANGED <<seen, cur, gotPlain, gotGroup, due>>
        ELSE /\ gotPlain' = IF "plain" \in local[c] THEN [gotPlain EXCEPT ![c][f.m] = @ + 1] ELSE gotPlain
             /\ gotGroup' = IF "group" \in local[c] /\ ("group" \in f.what \/ Mutant = "everywhere")
                            THEN [gotGroup EXCEPT ![f.m] = @ + 1] ELSE gotGroup
             /\ chan' = IF Mutant = "forward"
                        THEN Sent(rest, c, {d \in Others(c) : d # b /\ "plain" \in remote[c][d]}, [f EXCEPT !.what = {}])
                        ELSE rest
             /\ UNCHANGED <<seen, cur, remote, due>>
     /\ Note([name |-> "take", from |-> b, to |-> c, route |-> i])
     /\ UNCHANGED <<local, made, changes, published>>
\* A link of b publishes m. The origin picks for the group: its own member first, else one broker.
Publish(b, m) ==
  LET near == "group" \in local[b]
      far == {c \in Others(b) : "group" \in remote[b][c]}
      picks == IF near \/ far = {} THEN {b} ELSE far
      all == \A c \in Others(b) : Settled(b, c)
  IN /\ m \notin published /\ published' = published \cup {m}
     /\ \E pick \in picks :
          LET cs == {c \in Others(b) : "plain" \in remote[b][c] \/ (c = pick /\ c \in far)}
              for == [c \in Brokers |-> IF c = pick THEN {"group"} ELSE {}]
          IN chan' = [chan EXCEPT ![b] = [c \in Brokers |-> IF c \in cs
                      THEN [chan[b][c] EXCEPT ![cur[b][c]] = Append(@, [kind |-> "message", what |-> for[c], m |-> m])]
                      ELSE chan[b][c]]]
     /\ gotPlain' = IF "plain" \in local[b] THEN [gotPlain EXCEPT ![b][m] = @ + 1] ELSE gotPlain
     /\ gotGroup' = IF near THEN [gotGroup EXCEPT ![m] = @ + 1] ELSE gotGroup
     /\ due' = [due EXCEPT ![m] = IF ~all THEN {} ELSE {c \in Brokers : "plain" \in local[c]}
                   \cup (IF \E c \in Brokers : "group" \in local[c] THEN {"group"} ELSE {})]
     /\ Note([name |-> "publish", at |-> b, m |-> m])
     /\ UNCHANGED <<local, remote, cur, seen, made, changes>>

Next == \/ \E b \in Brokers, k \in Kinds : Change(b, k)
        \/ \E b \in Brokers, m \in Msgs : Publish(b, m)
        \/ \E b \in Brokers : \E c \in Others(b) : Lose(b, c) \/ Open(b, c) \/ \E i \in No : Take(b, c, i) \/ Vanish(b, c, i)
\* The last route of a pair is not lost again, or nothing would ever settle.
Calm == \E b \in Brokers, k \in Kinds : Change(b, k)
FairTake == \A b \in Brokers : \A c \in Others(b) : \A i \in No : WF_vars(Take(b, c, i))
NextCalm == \/ Calm \/ \E b \in Brokers : \E c \in Others(b) :
               (made[{b, c}] < MaxNo /\ Lose(b, c)) \/ Open(b, c) \/ (\E i \in No : Take(b, c, i) \/ Vanish(b, c, i))
            \* who holds an older route notices in the end that the other side has left it
            \/ \E b \in Brokers : \E c \in Others(b) : cur[b][c] # 0 /\ cur[b][c] < made[{b, c}] /\ Lose(b, c)
Spec == Init /\ [][Next]_vars
SpecCalm == Init /\ [][NextCalm]_vars /\ FairTake
              /\ \A b \in Brokers : \A c \in Others(b) : WF_vars(Open(b, c)) /\ WF_vars(cur[b][c] < made[{b, c}] /\ Lose(b, c))

NoGhostInterest == \A b \in Brokers : \A c \in Others(b) :
   /\ cur[b][c] = 0 => remote[b][c] = {}
   /\ Settled(b, c) => remote[b][c] \subseteq local[c]
NoLostInterest == \A b \in Brokers : \A c \in Others(b) : Settled(b, c) => local[c] \subseteq remote[b][c]
NoDuplicate == \A m \in Msgs : gotGroup[m] <= 1 /\ \A b \in Brokers : gotPlain[b][m] <= 1
Quiet == \A b \in Brokers : \A c \in Others(b) : Empty(b, c)
NoLostMessage == Quiet => \A m \in Msgs : /\ \A b \in due[m] \ {"group"} : gotPlain[b][m] = 1
                                         /\ "group" \in due[m] => gotGroup[m] = 1
Settles == <>[](\A b \in Brokers : \A c \in Others(b) :
                   cur[b][c] # 0 /\ cur[b][c] = cur[c][b] /\ remote[b][c] = local[c])
=============================================================================
