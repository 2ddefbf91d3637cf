/* SPDX-License-Identifier: MIT */

/*
 * How a run under an exec policy ends: a model for spin(1) of warden, supervisor, kernel and the
 * tasks of the run, with all that can come between (docs/warden-protocol.md, "How it ends").
 *
 *   world        Ctrl-C once to three times, hang-up, box stopped: each is one wish to end; TERM, STOP and
 *                KILL of the warden, KILL of the supervisor; in any order, at any moment
 *   supervisor   TERM → grace → KILL; reaps; shuts the warden down; bounded
 *   warden       src/warden/coordinator.h and call.h, the states of which have the same names
 *   task         calls execve, is judged, lies about what it calls, hangs, is killed
 *
 * Checked (test_warden.py):
 *   - every end state is the end: no deadlock, and <> ended
 *   - no image runs its first instruction unless it was verified at its exec stop
 *   - when nothing moves any more, nobody waits for an answer and no warden is draining
 *   - the shutdown is begun once, whatever has asked for it how often; what is closed is closed once
 *   - no bound is ever needed to end a run whose tasks can be killed
 * A bound fires when nothing else can move, as it is long beside everything else; with EARLY it
 * fires at any time, as on a machine that stands still, and then all holds but the last. With THREADS the
 * tasks are threads of one process: an exec of one is the end of the other, and one at a time is in flight.
 *
 * Each BROKEN_… takes away one thing that the design rests on, and spin must find out.
 */

#define TASKS 2 /* 0 is the payload */
#define CALLS 2 /* of execve, by each task */
#ifndef ACTS
#define ACTS 3 /* of the world */
#endif

mtype:coordinator_state = { COORDINATOR_STARTING, COORDINATOR_SERVING, COORDINATOR_DRAINING,
	COORDINATOR_ENDED };
mtype:call_state = { CALL_NONE, CALL_RECEIVED, CALL_WAITING, CALL_JUDGED, CALL_SEIZED, CALL_CONTINUED,
	CALL_RELEASING, CALL_KILLED };
mtype:warden_state = { WARDEN_STARTING, WARDEN_SERVING, WARDEN_DRAINING, WARDEN_GONE };
mtype:task_state = { TASK_NONE, TASK_RUNS, TASK_WAITS, TASK_RECEIVED, TASK_EXECS, TASK_HANGS,
	TASK_EXEC_STOP, TASK_STOPPED, TASK_ZOMBIE, TASK_GONE };
mtype:listener_state = { LISTENER_NONE, LISTENER_SENT, LISTENER_HELD, LISTENER_CLOSED };
mtype:kill_stage = { STAGE_NONE, STAGE_TERM, STAGE_KILL };

/* The warden, which is one with its coordinator. */
mtype:coordinator_state coordinator = COORDINATOR_STARTING;
mtype:call_state call[TASKS] = CALL_NONE;
bool warden_lives, warden_stopped;
bool start_is_there; /* a record on the control socket */
bool control_open = true; /* the supervisor's end of it */
bool control_watched = true;
bool ready; /* READY was sent */
bool termed; /* TERM is pending for the warden */
bool bound_armed; /* WARDEN_DRAIN_MS from the first wish to end on */
byte begun; /* shutdowns */
bool again[TASKS]; /* a later call of the same task was received */

/* The kernel. */
mtype:listener_state listener = LISTENER_NONE;
mtype:task_state task[TASKS] = TASK_NONE;
bool traced[TASKS]; /* seized, with EXITKILL */
bool interrupted[TASKS]; /* a stop is asked for */
bool news[TASKS]; /* for the tracer: a stop, a death */
bool renumbered[TASKS]; /* it had its process's number when it ended */
bool genuine[TASKS]; /* the new image is what had been judged */
bool verified[TASKS]; /* the warden has found that out, at the exec stop */
bool term[TASKS]; /* TERM is pending */
bool wait_killable; /* SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV */

/* The supervisor. */
mtype:warden_state warden = WARDEN_STARTING;
bool supervisor_lives = true, supervisor_killed;
bool child_stopped; /* SIGCHLD, CLD_STOPPED */
byte wishes; /* to end, that were not read yet */
bool late; /* the warden had to be killed when its time was up */

hidden byte k, other; /* within one step */

#define waits(t)   (task[t] == TASK_WAITS || task[t] == TASK_RECEIVED)
#define stopped(t) (task[t] == TASK_EXEC_STOP || task[t] == TASK_STOPPED)
#define dead(t)    (task[t] == TASK_ZOMBIE || task[t] == TASK_GONE)
#define over(t)    (task[t] == TASK_GONE || task[t] == TASK_NONE)
#define any(what) (what(0) || what(1))
#define all(what) (what(0) && what(1))
#define is_waiting(t)   (task[t] == TASK_WAITS)
#define has_news(t)     (news[t])
#define is_received(t)  (call[t] == CALL_RECEIVED)
#define is_traced(t)    (traced[t])
#define is_in_flight(t) (call[t] == CALL_SEIZED || call[t] == CALL_CONTINUED || \
	call[t] == CALL_RELEASING || call[t] == CALL_KILLED)

#define ended (!supervisor_lives && !warden_lives && all(over))

#ifdef EARLY
#define time_is_up true
#else
#define time_is_up timeout
#endif

/* ---- what the kernel does ---- */

inline die(t)
{
	task[t] = TASK_ZOMBIE;
	term[t] = false;
	interrupted[t] = false;
	genuine[t] = false;
	verified[t] = false;
	if
	:: traced[t] -> news[t] = true
	:: else
	fi
}

inline kill(t)
{
	if
	:: task[t] != TASK_NONE && !dead(t) -> die(t)
	:: else
	fi
}

/* Back to user mode: to the first instruction of an image, if it was just made. */
inline resume(t)
{
	assert(task[t] != TASK_EXEC_STOP || (verified[t] && genuine[t]));
	genuine[t] = false;
	verified[t] = false;
	task[t] = TASK_RUNS
}

inline detach(t)
{
	traced[t] = false;
	interrupted[t] = false;
	resume(t)
}

/* Whoever waits for an answer gets ENOSYS, and so does whoever asks. */
inline close_listener()
{
	listener = LISTENER_CLOSED;
	for (k : 0 .. TASKS - 1) {
		if
		:: waits(k) -> task[k] = TASK_RUNS
		:: else
		fi
	}
}

/* By itself or by a signal: what it held is closed, whom it traced is killed. */
inline warden_ends()
{
	warden_stopped = false;
	child_stopped = false;
	start_is_there = false;
	control_watched = false;
	termed = false;
	bound_armed = false;
#ifndef BROKEN_LISTENER_IS_LEAKED
	close_listener();
#endif
	for (k : 0 .. TASKS - 1) {
		news[k] = false;
		call[k] = CALL_NONE;
		again[k] = false;
		if
		:: traced[k] ->
			traced[k] = false;
#ifdef BROKEN_NO_EXITKILL
			if
			:: stopped(k) -> resume(k)
			:: else
			fi
#else
			kill(k)
#endif
		:: else
		fi
	};
	warden_lives = false /* last: the process is no more from here on */
}

/* The other one's notification, and what it waited for, are no more. */
inline end_other_threads(t)
{
#ifdef THREADS
	other = 1 - t;
	kill(other)
#else
	skip
#endif
}

/* ---- a task of the run ---- */

proctype run_task(byte t)
{
	byte calls = 0;
end:	/* a run that was never started */
	(task[t] != TASK_NONE);
	do
	:: atomic { task[t] == TASK_RUNS && calls < CALLS && !(traced[t] && interrupted[t]) ->
		calls++;
		if
		:: listener == LISTENER_CLOSED /* ENOSYS */
		:: else -> task[t] = TASK_WAITS
		fi }
	:: atomic { task[t] == TASK_RUNS -> die(t) }
	:: atomic { task[t] == TASK_RUNS && term[t] -> term[t] = false } /* ignored */
	/* a signal that it handles ends the wait; the call may be made again */
	:: atomic { term[t] && (task[t] == TASK_WAITS || task[t] == TASK_RECEIVED && !wait_killable) ->
		term[t] = false;
		if
		:: traced[t] -> task[t] = TASK_STOPPED; news[t] = true
		:: else -> task[t] = TASK_RUNS
		fi }
	:: atomic { traced[t] && interrupted[t] && (task[t] == TASK_RUNS || task[t] == TASK_WAITS ||
			task[t] == TASK_RECEIVED && !wait_killable) ->
		task[t] = TASK_STOPPED;
		news[t] = true }
	:: atomic { task[t] == TASK_EXECS ->
		if
		:: task[t] = TASK_RUNS /* ENOENT, EACCES, … */
		:: task[t] = TASK_HANGS /* in a file system that does not answer */
		:: true -> /* there is no room for the new image, and the old one is no more */
			end_other_threads(t);
			die(t);
			renumbered[t] = true
		:: true ->
			if
			:: genuine[t] = true
			:: genuine[t] = false /* path or argv were changed after they were read */
			fi;
			task[t] = TASK_EXEC_STOP;
			end_other_threads(t);
			if
			:: traced[t] -> news[t] = true
			:: else -> resume(t)
			fi
		fi }
	/* reaped by the box's init; the payload by the supervisor, if there is one */
	:: atomic { task[t] == TASK_ZOMBIE && !traced[t] && (t > 0 || !supervisor_lives) ->
		task[t] = TASK_GONE }
	:: task[t] == TASK_GONE -> break
	od
}

/* ---- the warden ---- */

inline begin_shutdown()
{
#ifndef BROKEN_SHUTDOWN_TWICE
	if
	:: coordinator == COORDINATOR_DRAINING || coordinator == COORDINATOR_ENDED
	:: coordinator == COORDINATOR_STARTING -> coordinator = COORDINATOR_ENDED
	:: coordinator == COORDINATOR_SERVING ->
#endif
		coordinator = COORDINATOR_DRAINING;
		begun++;
		assert(begun == 1);
#ifndef BROKEN_NO_BOUND
		bound_armed = true;
#endif
		close_listener()
#ifndef BROKEN_SHUTDOWN_TWICE
	fi
#endif
}

/* SEND: it may have left its wait meanwhile (ENOENT). */
inline answer(t, state)
{
	if
	:: task[t] == TASK_RECEIVED -> task[t] = state; sent = true
	:: else -> sent = false
	fi
}

inline refuse(t)
{
	atomic {
		answer(t, TASK_RUNS);
		call[t] = CALL_NONE
	}
}

/*
 * INTERRUPT comes first, so that a call that fails at once is stopped before the next; but for kernels
 * without wait_killable, where it would end the wait: there the next call may be received before the stop
 * (take_over).
 */
#ifdef BROKEN_INTERRUPT_IS_LAST
#define interrupt_first false
#else
#define interrupt_first wait_killable
#endif

inline interrupt(t)
{
	if
	:: traced[t] && !dead(t) -> interrupted[t] = true
	:: else
	fi
}

inline hold(t)
{
#ifndef BROKEN_CONTINUE_IS_TRUSTED
	atomic { /* SEIZE */
		if
		:: dead(t) && !traced[t] -> call[t] = CALL_NONE
		:: else -> traced[t] = true; call[t] = CALL_SEIZED
		fi
	}
#else
	call[t] = CALL_SEIZED;
#endif
	atomic {
		if
		:: interrupt_first -> interrupt(t)
		:: else
		fi
	}
	atomic {
		if
		:: call[t] == CALL_SEIZED ->
			answer(t, TASK_EXECS);
			if
			:: sent -> call[t] = CALL_CONTINUED
			:: else -> call[t] = CALL_RELEASING
			fi
		:: else
		fi;
		sent = false
	}
	atomic {
		if
		:: !interrupt_first -> interrupt(t)
		:: else
		fi;
#ifdef BROKEN_CONTINUE_IS_TRUSTED
		call[t] = CALL_NONE
#else
		skip
#endif
	}
#ifdef BROKEN_WAIT_FOR_A_TASK
	(call[t] == CALL_NONE || news[t]);
#endif
}

inline select_waiting()
{
	if
	:: is_waiting(0) -> n = 0
	:: is_waiting(1) -> n = 1
	fi
}

/* One notification, if there still is one; RECV does not wait. */
inline receive()
{
	if
#ifndef BROKEN_BLOCKING_RECV
	:: !any(is_waiting) /* ENOENT */
#endif
	:: any(is_waiting) ->
		select_waiting();
		task[n] = TASK_RECEIVED;
		if
		:: call[n] == CALL_NONE -> call[n] = CALL_RECEIVED
		:: else -> again[n] = true /* an earlier one, for which it is held, has failed */
		fi
	fi;
	n = 0
}

#ifdef THREADS
#define other_is_in_flight(t) is_in_flight((1 - t))
#else
#define other_is_in_flight(t) false
#endif

/* A task that is held for a call calls again: that one has failed, and this one is held already. */
inline take_over(t)
{
	atomic {
		if
#ifndef BROKEN_INTERRUPT_IS_LAST
		:: again[t] && call[t] != CALL_KILLED ->
			again[t] = false;
			if
			:: task[t] == TASK_RECEIVED -> call[t] = CALL_JUDGED
			:: else
			fi
#endif
		:: else
		fi
	}
}

/* The next one that was received and not looked at. */
inline deal_with(t)
{
	take_over(t);
	atomic {
		if
		:: call[t] == CALL_RECEIVED && other_is_in_flight(t) -> call[t] = CALL_WAITING
		:: call[t] == CALL_RECEIVED && !other_is_in_flight(t) && task[t] != TASK_RECEIVED ->
			call[t] = CALL_NONE /* its caller is gone, or was answered by the kernel */
		:: call[t] == CALL_RECEIVED && !other_is_in_flight(t) && task[t] == TASK_RECEIVED ->
			call[t] = CALL_JUDGED
		:: else
		fi
	}
	if
	:: call[t] == CALL_JUDGED -> refuse(t) /* by a rule, or it cannot be seized */
	:: call[t] == CALL_JUDGED -> hold(t)
	:: call[t] != CALL_JUDGED
	fi
}

/* It is in flight no more: those that waited for that have their turn. */
inline land(t)
{
	call[t] = CALL_NONE;
	if
	:: again[t] -> again[t] = false; call[t] = CALL_RECEIVED
	:: else
	fi;
#ifdef THREADS
	if
	:: call[1 - t] == CALL_WAITING -> call[1 - t] = CALL_RECEIVED
	:: else
	fi
#endif
}

/* waitpid(WNOHANG) of one in flight. */
inline look(t)
{
	if
	:: news[t] ->
		news[t] = false;
		if
		:: task[t] == TASK_ZOMBIE ->
#ifndef BROKEN_NO_REAPING
			traced[t] = false;
#endif
#ifdef BROKEN_NUMBERS_ARE_KEPT
			if
			:: renumbered[t]
			:: else -> land(t)
			fi
#else
			land(t)
#endif
		:: task[t] == TASK_STOPPED -> detach(t); land(t)
		:: task[t] == TASK_EXEC_STOP && genuine[t] ->
			verified[t] = true;
			detach(t);
			land(t)
		:: task[t] == TASK_EXEC_STOP && !genuine[t] ->
			call[t] = CALL_KILLED;
			die(t)
		:: else
		fi
	:: else
	fi
}

/* What a poll waits for. */
#define WAKE_CONTROL      (control_watched && start_is_there)
#define WAKE_CONTROL_END  (control_watched && !control_open)
#define WAKE_RUN_SOCKET   (listener == LISTENER_SENT && coordinator == COORDINATOR_SERVING)
#define WAKE_LISTENER     (listener == LISTENER_HELD && any(is_waiting))
#define WAKE_LISTENER_END (listener == LISTENER_HELD && all(dead))
#define WAKE_CHILD        (any(has_news))
#define WAKE_TERM         (termed)
#define WAKE_BOUND        (bound_armed && time_is_up)

inline receive_start()
{
	start_is_there = false;
	if
	:: coordinator == COORDINATOR_STARTING -> coordinator = COORDINATOR_SERVING; ready = true
	:: else
	fi
}

#define when(what, act) if :: what -> act :: else fi

/* Everything that is ready, each in its turn, and no one waits for another's end. */
proctype warden_process() provided (!warden_stopped)
{
	byte n = 0;
	bool got = false, sent = false;
	{
		do
		:: atomic { coordinator != COORDINATOR_ENDED && (WAKE_CONTROL || WAKE_CONTROL_END ||
				WAKE_RUN_SOCKET || WAKE_LISTENER || WAKE_LISTENER_END || WAKE_CHILD || WAKE_TERM || any(is_received)) ->
			when(WAKE_CONTROL, receive_start());
			when(WAKE_TERM, termed = false; begin_shutdown());
			when(WAKE_CONTROL_END, control_watched = false; begin_shutdown());
			when(WAKE_RUN_SOCKET, listener = LISTENER_HELD);
#ifndef BROKEN_HANG_UP_IS_KEPT
			when(WAKE_LISTENER_END, close_listener());
#endif
			got = WAKE_LISTENER }
			atomic {
				if
				:: got -> got = false; receive()
				:: else
				fi
			}
			atomic {
				look(0);
				look(1)
			}
			deal_with(0);
			deal_with(1);
			atomic {
				when(coordinator == COORDINATOR_DRAINING && !any(is_in_flight),
					coordinator = COORDINATOR_ENDED)
			}
		:: atomic { coordinator == COORDINATOR_DRAINING && WAKE_BOUND -> coordinator = COORDINATOR_ENDED }
		:: coordinator == COORDINATOR_ENDED -> break
		od;
		atomic { warden_lives -> warden_ends() }
	} unless { !warden_lives }
}

/* ---- the supervisor ---- */

inline kill_warden()
{
	if
	:: warden_lives -> warden_ends()
	:: else
	fi
}

inline term_all()
{
	for (k : 0 .. TASKS - 1) {
		if
		:: task[k] != TASK_NONE && !dead(k) -> term[k] = true
		:: else
		fi
	}
}

inline kill_all()
{
	for (k : 0 .. TASKS - 1) {
		kill(k)
	}
}

inline begin_run()
{
	listener = LISTENER_SENT;
	if
	:: warden_lives && coordinator == COORDINATOR_SERVING
	:: else -> listener = LISTENER_CLOSED /* with the socket that it was sent to */
	fi;
	task[0] = TASK_RUNS;
	task[1] = TASK_RUNS
}

active proctype supervisor()
{
	mtype:kill_stage stage = STAGE_NONE;
	bool kept;
	{
		atomic {
			if
			:: wait_killable = true
			:: wait_killable = false
			fi;
			warden_lives = true;
			start_is_there = true;
			run warden_process();
			run run_task(0);
			run run_task(1);
			run world()
		}
		do
		:: atomic { ready -> warden = WARDEN_SERVING; begin_run(); break }
		:: !warden_lives -> break /* the run is not started, and it is said why */
		:: atomic { child_stopped -> child_stopped = false; kill_warden() }
		:: wishes > 0 -> break
		od;
		do
		:: atomic { wishes > 0 && stage == STAGE_NONE && !all(over) ->
			wishes--;
			stage = STAGE_TERM;
			term_all() }
		:: atomic { wishes > 0 && stage == STAGE_TERM -> /* whoever asks twice means it */
			wishes--;
			stage = STAGE_KILL;
			kill_all() }
		:: atomic { wishes > 0 && stage == STAGE_KILL -> wishes-- }
		:: atomic { stage == STAGE_TERM -> /* the grace time is over */
			stage = STAGE_KILL;
			kill_all() }
		:: atomic { task[0] == TASK_ZOMBIE && !traced[0] ->
			task[0] = TASK_GONE;
			stage = STAGE_KILL; /* what it has left behind */
			kill_all() }
		:: atomic { warden != WARDEN_GONE && !warden_lives -> warden = WARDEN_GONE }
#ifndef BROKEN_STOP_IS_NOT_SEEN
		:: atomic { child_stopped -> child_stopped = false; kill_warden() }
#endif
		:: all(over) -> break
		od;
		/* a kept box has its warden until it is stopped; one of this run's own is over now */
		if
		:: kept = true
		:: kept = false
		fi;
		do
		:: !kept || wishes > 0 -> break
		:: atomic { child_stopped -> child_stopped = false; kill_warden() }
		:: atomic { warden != WARDEN_GONE && !warden_lives -> warden = WARDEN_GONE }
		od;
		atomic {
			warden = WARDEN_DRAINING;
			control_open = false
		}
		do
		:: !warden_lives -> break
#ifndef BROKEN_STOP_IS_NOT_SEEN_AT_LAST
		:: atomic { child_stopped -> child_stopped = false; kill_warden() }
#endif
#ifndef BROKEN_NO_BOUND
		:: atomic { warden_lives && time_is_up -> late = true; kill_warden() }
#endif
		od;
		atomic {
			warden = WARDEN_GONE;
			supervisor_lives = false
		}
	} unless { supervisor_killed }
}

/* ---- everything else ---- */

/* The kernel and the box's init do the same whenever the supervisor is killed, each when it comes to it. */
inline supervisor_is_gone()
{
	atomic { supervisor_killed = true; supervisor_lives = false }
	control_open = false;
	/* PDEATHSIG: after, among or before the tasks */
	if
	:: atomic { true -> kill_warden() }
	:: true
	fi;
	atomic { kill_all() }
	atomic { kill_warden() }
}

/* Behind a thread that hangs in an exec another one's exec waits also without us (cred_guard_mutex). */
#ifdef THREADS
#define waits_in_vain(t) (waits(t) && task[(1 - t)] != TASK_HANGS)
#else
#define waits_in_vain(t) waits(t)
#endif

proctype world()
{
	byte acts = 0, asked = 0;
	do
	:: acts < ACTS && supervisor_lives ->
		acts++;
		if
		:: wishes++ /* Ctrl-C, a hang-up, the box is stopped, DELETE */
		:: atomic { warden_lives -> termed = true }
		:: atomic { warden_lives && !warden_stopped -> warden_stopped = true; child_stopped = true }
		:: atomic { warden_lives -> warden_ends() }
		:: atomic { supervisor_lives -> supervisor_is_gone() }
		fi
	:: break
	od;
	do
	:: ended -> break
	/* it all stands still: this is how it may stand, and then somebody asks for the end */
	:: atomic { timeout && !bound_armed && supervisor_lives && asked < 3 ->
		asked++;
		assert(!any(waits_in_vain) && !any(stopped));
		assert(coordinator != COORDINATOR_DRAINING || !warden_lives);
		wishes++ }
	od;
#ifndef EARLY
	assert(!late);
#endif
	assert(!any(waits) && !any(is_traced));
	assert(listener == LISTENER_NONE || listener == LISTENER_CLOSED)
}

ltl ends { <> ended }
ltl answered { [] (coordinator == COORDINATOR_ENDED -> <> !any(waits)) }
