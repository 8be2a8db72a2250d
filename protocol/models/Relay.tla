-------------------------------- MODULE Relay --------------------------------
(* Relays between networks. Each member of Instances is a relay process that   *)
(* joins two networks; several may join the same two and share the work.       *)
(*                                                                             *)
(* REQ: CWP-14.3-1 CWP-14.3-2 CWP-14.3-3 CWP-14.3-4 CWP-14.3-5 CWP-14.3-8      *)
(* REQ: CWP-14.3-9 CWP-6.7-1 CWP-6.12-1 CWP-13.5-1 CWP-13.6-9 CWP-14.1-6       *)
(*                                                                             *)
(* Bounds: networks, relays and requests as the configuration says; "any       *)
(* topology" is every subset of the pairs of networks, chosen in the first     *)
(* state, two relays on each pair that is joined. Clients of Askers publish    *)
(* each request for any other network (one asker is as good as all, by         *)
(* symmetry), also with a second hop that nobody may ask for. MaxCopies        *)
(* messages on the way to a relay, or published, come twice; MaxDeaths relays  *)
(* die with what they carry. The window of each direction of a relay holds a   *)
(* payload until its time is over, and Capacity of them at most: what finds no *)
(* room is not carried.                                                        *)
(*                                                                             *)
(* Properties                                                                  *)
(*   NoLoop        what crossed one relay crosses no second one                *)
(*   NoDuplicate   a network gets a fresh payload from relays once, as long as *)
(*                 the relays that share the work are the same                 *)
(*   RunsOnce      a request runs once, also when relays die                   *)
(*   HomeOnly      a reply arrives in the network that asked, nowhere else     *)
(*   RepliesReturn a reply that was published comes home once, if a relay      *)
(*                 lives that can carry it, none died carrying it and there    *)
(*                 was room to remember it; where a request went over does     *)
(*                 not matter                                                  *)
(*   Bounded       no direction remembers more than Capacity                   *)
(*                                                                             *)
(* Abstractions: a message is its payload (the window's key); one broker a     *)
(* network, so choosing a relay is one step; the choice by rendezvous hash is  *)
(* a fixed preference: a question has the first relay, its answer either; the  *)
(* node has the guard of Replay.tla; receipts, headers and back-pressure are   *)
(* not in it. Time is one event, Later, MaxOld times: the TTL of all that was  *)
(* asked and the windows' 300 s have passed; a message that still travels then *)
(* may be old to the node and new to the window. Capacity is one asker's       *)
(* share: there is one, and shares do not meet (CWP-14.3-6).                   *)
(*                                                                             *)
(* Mutants: random (any relay of the group is picked), short (the window       *)
(* forgets early) and evict (a full window forgets) must fail NoDuplicate;     *)
(* grow (a full window takes more) must fail Bounded; third (a relay may       *)
(* publish for a third network) must fail NoLoop; sticky (a relay carries only *)
(* replies to requests that it carried) must fail RepliesReturn.               *)
EXTENDS Naturals, FiniteSets, Sequences
CONSTANTS Networks, Askers, Requests, Topologies, MaxCopies, MaxDeaths, MaxOld, Hops, Capacity, Mutant, Recording
VARIABLES pairs,    \* the pairs of networks that are joined
          live,     \* relays that live: <<pair, number>>
          prefer,   \* prefer[m]: the number of the relay that a payload prefers
          asked,    \* asked[q]: path that the client gave, or <<>>
          net,      \* messages published and not yet routed, and those on the way to a relay
          window,   \* window[relay]: what it forwarded, with the network it went to
          came,     \* came[n]: how often a fresh payload was published in n by relays
          steady,   \* payloads for which the choice of relay has not changed
          ran, old, home, crossed, dropped, copies, deaths, later, act
vars == <<pairs, live, prefer, asked, net, window, came, steady, ran, old, home, crossed, dropped, copies, deaths, later, act>>

Pairs == {p \in SUBSET Networks : Cardinality(p) = 2}
AllTopologies == SUBSET Pairs
AllJoined == {Pairs}
Messages == Requests \X {"ask", "answer"}
Paths == {<<d>> : d \in Networks} \cup (IF Hops = 2 THEN {<<d, e>> : d \in Networks, e \in Networks} ELSE {})
Note(r) == IF Recording THEN act' = r ELSE UNCHANGED act
\* A message in a network: to = "" when it is to be routed there, else the relay that gets it.
Packet(m, at, path, to, hops, copy) == [m |-> m, at |-> at, path |-> path, to |-> to, hops |-> hops, copy |-> copy]
Nobody == <<{}, 0>>
From(q) == asked[q].from
To(q) == asked[q].path[1]

Init == /\ pairs \in Topologies /\ live = pairs \X {1, 2}
        \* Which of two relays is called 1 does not matter, so questions prefer 1.
        /\ \E k \in {1, 2} : prefer = [m \in Messages |-> IF m[2] = "ask" THEN 1 ELSE k]
        /\ asked = [q \in Requests |-> [from |-> "", path |-> <<>>]] /\ net = {}
        /\ window = [r \in Pairs \X {1, 2} |-> {}] /\ came = [n \in Networks |-> [m \in Messages |-> 0]]
        /\ steady = Messages /\ ran = [q \in Requests |-> 0] /\ old = {}
        /\ home = [n \in Networks |-> [q \in Requests |-> 0]] /\ crossed = 0 /\ dropped = {} /\ copies = 0 /\ deaths = 0 /\ later = 0
        /\ act = [name |-> "init"]

\* The client's broker knows rows with one network only (section 14.2); a hostile one lets two pass.
Ask(q, n, path) == /\ asked[q].path = <<>> /\ path[1] # n
                   /\ asked' = [asked EXCEPT ![q] = [from |-> n, path |-> path]]
                   /\ net' = net \cup {Packet(<<q, "ask">>, n, path, Nobody, 0, 0)}
                   /\ Note([name |-> "ask", request |-> q, at |-> n, path |-> path])
                   /\ UNCHANGED <<pairs, live, prefer, window, came, steady, ran, old, home, crossed, dropped, copies, deaths, later>>
\* At least once somewhere below, or a hostile broker: the same message again.
Copy(p) == /\ copies < MaxCopies /\ p.copy = 0 /\ copies' = copies + 1
           /\ net' = net \cup {[p EXCEPT !.copy = copies + 1]}
           /\ Note([name |-> "copy", m |-> p.m, at |-> p.at, to |-> p.to])
           /\ UNCHANGED <<pairs, live, prefer, asked, window, came, steady, ran, old, home, crossed, dropped, deaths, later>>
\* For which network a message in p.at is meant; p.at itself when it has arrived.
Toward(p) == IF p.m[2] = "answer" THEN From(p.m[1]) ELSE IF p.path = <<>> THEN p.at ELSE p.path[1]
Group(p) == {r \in live : r[1] = {p.at, Toward(p)}}
Chosen(p) == LET g == Group(p)
                 best == {r \in g : r[2] = prefer[p.m]}
             IN IF Mutant = "random" THEN g ELSE IF best # {} THEN best ELSE g
Route(p) == /\ p.to = Nobody /\ Toward(p) # p.at
            /\ IF Group(p) = {}
               THEN /\ net' = net \ {p} /\ dropped' = dropped \cup {p.m} /\ Note([name |-> "nobody", m |-> p.m, at |-> p.at])
               ELSE /\ \E r \in Chosen(p) : /\ net' = (net \ {p}) \cup {[p EXCEPT !.to = r]}
                                            /\ Note([name |-> "route", m |-> p.m, at |-> p.at, to |-> r])
                    /\ UNCHANGED dropped
            /\ UNCHANGED <<pairs, live, prefer, asked, window, came, steady, ran, old, home, crossed, copies, deaths, later>>
\* A relay takes a message, and publishes it on its other side unless its window knows it.
Carry(p) ==
  LET far == Toward(p)
      key == <<p.m, p.path, far>>
      rest == IF p.m[2] = "ask" THEN Tail(p.path) ELSE p.path
      \* The relay refuses what it may not publish, a subject for a third network; so would the far broker.
      may == rest = <<>> \/ p.m[2] = "answer" \/ Mutant = "third"
      knows == Mutant # "sticky" \/ p.m[2] = "ask" \/ \E k \in window[p.to] : k[1] = <<p.m[1], "ask">>
      seen == key \in window[p.to]
      held == {k \in window[p.to] : k[3] = far}
      full == Cardinality(held) >= Capacity
      out == IF ~may THEN "refused" ELSE IF seen THEN "repeated" ELSE IF ~knows THEN "unknown"
             ELSE IF full /\ Mutant \notin {"evict", "grow"} THEN "full" ELSE "carried"
      room == IF full /\ Mutant = "evict" THEN window[p.to] \ {CHOOSE k \in held : TRUE} ELSE window[p.to]
  IN /\ p.to # Nobody
     /\ window' = IF out \in {"refused", "unknown", "full"} THEN window ELSE [window EXCEPT ![p.to] = room \cup {key}]
     /\ dropped' = IF out = "full" THEN dropped \cup {p.m} ELSE dropped
     /\ IF out = "carried"
        THEN /\ net' = (net \ {p}) \cup {[p EXCEPT !.at = far, !.path = rest, !.to = Nobody, !.hops = @ + 1]}
             /\ crossed' = IF p.hops + 1 > crossed THEN p.hops + 1 ELSE crossed
             /\ came' = IF p.m[1] \in old THEN came ELSE [came EXCEPT ![far][p.m] = @ + 1]
        ELSE net' = net \ {p} /\ UNCHANGED <<crossed, came>>
     /\ Note([name |-> "carry", m |-> p.m, at |-> p.at, relay |-> p.to, path |-> p.path, out |-> out])
     /\ UNCHANGED <<pairs, live, prefer, asked, steady, ran, old, home, copies, deaths, later>>
\* A message is where it was meant to go. A node runs what is fresh and new to it, and answers once.
Arrive(p) ==
  LET q == p.m[1]  runs == p.m[2] = "ask" /\ ran[q] = 0 /\ q \notin old
  IN /\ p.to = Nobody /\ Toward(p) = p.at
     /\ net' = (net \ {p}) \cup (IF runs THEN {Packet(<<q, "answer">>, p.at, <<>>, Nobody, 0, 0)} ELSE {})
     /\ ran' = IF runs THEN [ran EXCEPT ![q] = @ + 1] ELSE ran
     /\ home' = IF p.m[2] = "answer" THEN [home EXCEPT ![p.at][q] = @ + 1] ELSE home
     /\ Note([name |-> "arrive", m |-> p.m, at |-> p.at, runs |-> runs])
     /\ UNCHANGED <<pairs, live, prefer, asked, window, came, steady, old, crossed, dropped, copies, deaths, later>>
\* TTL and window have passed: every relay forgets, and no node runs what was asked. The mutant forgets earlier.
Later == LET asks == {q \in Requests : asked[q].path # <<>>}
         IN /\ ~(asks \subseteq old) /\ later < MaxOld /\ later' = later + 1
            /\ old' = asks /\ window' = [r \in DOMAIN window |-> {}]
            /\ Note([name |-> "later"])
            /\ UNCHANGED <<pairs, live, prefer, asked, net, came, steady, ran, home, crossed, dropped, copies, deaths>>
Forget(q) == /\ Mutant = "short" /\ asked[q].path # <<>>
             /\ window' = [r \in DOMAIN window |-> {k \in window[r] : k[1][1] # q}] /\ Note([name |-> "forget"])
             /\ UNCHANGED <<pairs, live, prefer, asked, net, came, steady, ran, old, home, crossed, dropped, copies, deaths, later>>
Die(r) == /\ deaths < MaxDeaths /\ r \in live /\ deaths' = deaths + 1 /\ live' = live \ {r}
          /\ net' = {p \in net : p.to # r} /\ dropped' = dropped \cup {p.m : p \in {x \in net : x.to = r}}
          \* Whom this relay would have got goes to another from now on.
          /\ steady' = {m \in steady : prefer[m] # r[2]} /\ window' = [window EXCEPT ![r] = {}]
          /\ Note([name |-> "die", relay |-> r])
          /\ UNCHANGED <<pairs, prefer, asked, came, ran, old, home, crossed, copies, later>>

Next == \/ \E q \in Requests, n \in Askers, path \in Paths : Ask(q, n, path)
        \/ \E p \in net : Copy(p) \/ Route(p) \/ Carry(p) \/ Arrive(p)
        \/ \E q \in Requests : Forget(q)
        \/ Later
        \/ \E r \in live : Die(r)
Spec == Init /\ [][Next]_vars

NoLoop == crossed <= 1
NoDuplicate == \A n \in Networks, m \in Messages : came[n][m] > 1 => m \notin steady
Bounded == \A r \in DOMAIN window, n \in Networks : Cardinality({k \in window[r] : k[3] = n}) <= Capacity
RunsOnce == \A q \in Requests : ran[q] <= 1
HomeOnly == \A q \in Requests, n \in Networks : home[n][q] > 0 => n = From(q)
\* When nothing is on the way any more, an answer that was not lost with a relay is home; twice only by copies.
RepliesReturn == \A q \in Requests :
   (ran[q] = 1 /\ <<q, "answer">> \notin dropped /\ ~\E p \in net : p.m = <<q, "answer">>)
       => /\ home[From(q)][q] >= 1
          /\ home[From(q)][q] <= 1 + copies
=============================================================================
