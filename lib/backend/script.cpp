#include <muster/backend/script.hpp>
#include <muster/detail/wake_list.hpp>
#include <muster/error.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <type_traits>
#include <utility>

namespace muster {

script& script::emit_from(event_source source) {
    steps_.emplace_back(emit_step{std::move(source)});
    return *this;
}

script& script::burst(std::size_t count, std::string bytes) {
    steps_.emplace_back(burst_step{count, std::move(bytes)});
    return *this;
}

script& script::await_input(std::size_t count) {
    steps_.emplace_back(await_input_step{count});
    return *this;
}

script& script::pause(std::chrono::nanoseconds duration) {
    steps_.emplace_back(pause_step{duration});
    return *this;
}

script& script::idle() {
    steps_.emplace_back(idle_step{});
    return *this;
}

script& script::fail(std::string reason) {
    steps_.emplace_back(fail_step{std::move(reason)});
    return *this;
}

script& script::input(input_mode mode) {
    input_mode_ = mode;
    return *this;
}

script& script::on_input(reaction answer) {
    on_input_ = std::move(answer);
    return *this;
}

script& script::refuse_spawn(std::string reason) {
    spawn_refusal_ = std::move(reason);
    return *this;
}

script& script::spawn_as(session_id other) {
    spawn_as_ = std::move(other);
    return *this;
}

script& script::refuse_kill() {
    refuses_kill_ = true;
    return *this;
}

/// What a backend remembers of one session. `worker` is strand-bound, the lists are guarded by the
/// backend's mutex.
struct script_backend::track_record {
    std::optional<session_executor> executor; ///< keeps the session; none once the worker is over
    script_worker* worker = nullptr;
    std::vector<std::string> inputs;
    std::vector<needs_input_response> responses;
    std::vector<terminal_size> sizes;

    explicit track_record(const session_executor& new_executor) : executor{new_executor} {}
};

/// One session of a script_backend: walks through the steps, woken by input, `resume`, kill and
/// abandonment.
class script_worker final : public worker {
public:
    script_worker(script_backend& owner, session_id id, std::shared_ptr<const script> program,
                  session_executor executor)
        : owner_{owner}, id_{std::move(id)}, program_{std::move(program)},
          executor_{std::move(executor)}, mode_{program_->input_mode_} {
        owner_.alive_.fetch_add(1, std::memory_order_relaxed);
        if (owner_.tracks_) {
            record_ = owner_.start_record(id_, executor_);
            record_->worker = this;
        }
    }

    ~script_worker() override {
        forget_pause();
        owner_.alive_.fetch_sub(1, std::memory_order_relaxed);
        if (record_) {
            record_->worker = nullptr;
            forget_executor();
        }
    }

    const session_id& id() const noexcept override { return id_; }

    /// A state machine and no coroutine, so that an idle session costs no frames.
    bool try_run(event_sink& events) override {
        events_ = &events;
        go_on();
        return true;
    }

    bool try_send_input(std::string_view bytes) override {
        if (mode_ == script::input_mode::hang && !ended_) {
            return false;
        }
        accept(bytes);
        return true;
    }

    session_awaitable<> send_input(std::string bytes) override {
        while (!try_send_input(bytes)) {
            co_await changed_.async_wait(executor_, asio::deferred);
        }
    }

    session_awaitable<> resize(terminal_size size) override {
        note([&](auto& record) { record.sizes.push_back(size); });
        co_return;
    }

    session_awaitable<> respond(needs_input_response response) override {
        while (mode_ == script::input_mode::hang && !ended_) {
            co_await changed_.async_wait(executor_, asio::deferred);
        }
        if (mode_ == script::input_mode::refuse) {
            refuse_input();
        }
        require_input();
        note([&](auto& record) { record.responses.push_back(std::move(response)); });
    }

    session_awaitable<> kill() override {
        if (program_->refuses_kill_) {
            throw error{errc::process,
                        "session '" + id_.str() + "': the script refuses to be killed"};
        }
        owner_.kills_.fetch_add(1, std::memory_order_relaxed);
        end();
        co_return;
    }

    void abandon() noexcept override {
        forget_executor();
        end();
    }

    void say(event value) {
        if (events_ != nullptr) {
            events_->push(std::move(value));
        }
    }

    void resume() {
        ++resumed_;
        go_on();
    }

    void set_mode(script::input_mode mode) {
        mode_ = mode;
        changed_.wake_all();
    }

private:
    using pause_timer =
        asio::basic_waitable_timer<std::chrono::steady_clock,
                                   asio::wait_traits<std::chrono::steady_clock>, session_executor>;

    /// A pause under way; its handler may outlive the worker.
    struct pause_wait {
        pause_timer timer;
        script_worker* of; ///< null: nobody is interested any more
        bool over = false;

        pause_wait(const session_executor& executor, std::chrono::nanoseconds duration,
                   script_worker& owner)
            : timer{executor, duration}, of{&owner} {}
    };

    /// By post: what a step says must not come out of the call that let the script go on.
    void go_on() {
        if (events_ != nullptr && !std::exchange(going_on_, true)) {
            asio::post(executor_, [this] {
                going_on_ = false;
                walk();
            });
        }
    }

    /// Does the steps up to one that has to wait.
    void walk() {
        std::exception_ptr failed;
        try {
            while (events_ != nullptr && next_ < program_->steps_.size()) {
                if (!pass(program_->steps_[next_])) {
                    return;
                }
                ++next_;
                entered_ = false;
            }
        } catch (...) {
            failed = std::current_exception();
        }
        end_stream(failed);
    }

    /// Whether the script may go on behind that step.
    bool pass(const script::step& step) {
        const bool first = !std::exchange(entered_, true);
        return std::visit([&](const auto& what) { return pass(what, first); }, step);
    }
    bool pass(const script::emit_step& emit, bool) {
        events_->push(emit.source());
        return true;
    }
    bool pass(const script::burst_step& burst, bool) {
        std::vector<event> batch;
        batch.reserve(burst.count);
        for (std::size_t i = 0; i < burst.count; ++i) {
            batch.emplace_back(output{burst.bytes});
        }
        events_->push(batch);
        return true;
    }
    [[noreturn]] bool pass(const script::fail_step& failure, bool) {
        throw error{errc::process, failure.reason};
    }
    bool pass(const script::idle_step&, bool first) {
        if (first) {
            resumed_before_ = resumed_;
        }
        return resumed_ != resumed_before_;
    }
    bool pass(const script::await_input_step& input, bool first) {
        if (first) {
            inputs_wanted_ += static_cast<std::uint32_t>(input.count);
        }
        return inputs_seen_ >= inputs_wanted_;
    }
    bool pass(const script::pause_step& pause, bool first) {
        if (first) {
            pause_ = std::make_shared<pause_wait>(executor_, pause.duration, *this);
            pause_->timer.async_wait([waited = pause_](sys::error_code) {
                waited->over = true;
                if (waited->of != nullptr) {
                    waited->of->walk();
                }
            });
        }
        if (!pause_->over) {
            return false;
        }
        forget_pause();
        return true;
    }
    void forget_pause() noexcept {
        if (const auto ended = std::exchange(pause_, nullptr)) {
            ended->of = nullptr;
            ended->timer.cancel();
        }
    }

    void end_stream(const std::exception_ptr& failed) {
        forget_pause();
        if (auto* const events = std::exchange(events_, nullptr)) {
            events->end(failed);
        }
    }

    void require_input() const {
        if (ended_) {
            throw error{errc::input_closed, "session '" + id_.str() + "': its input is closed"};
        }
    }

    void accept(std::string_view bytes) {
        require_input();
        if (mode_ == script::input_mode::refuse) {
            refuse_input();
        }
        owner_.accepted_.fetch_add(1, std::memory_order_relaxed);
        note([&](auto& record) { record.inputs.emplace_back(bytes); });
        ++inputs_seen_;
        answer(bytes);
        go_on();
    }

    void answer(std::string_view bytes) {
        if (program_->on_input_ && events_ != nullptr) {
            if (auto reply = program_->on_input_(bytes)) {
                events_->push(std::move(*reply));
            }
        }
    }

    [[noreturn]] void refuse_input() const {
        throw error{errc::process, "session '" + id_.str() + "': the script refuses input"};
    }

    /// The backend's record must not keep a session that nobody else keeps.
    void forget_executor() noexcept {
        if (record_) {
            std::optional<session_executor> released; // after the lock
            const std::lock_guard lock{owner_.mutex_};
            released.swap(record_->executor);
        }
    }

    void end() noexcept {
        ended_ = true;
        changed_.wake_all();
        end_stream(nullptr);
    }

    template <typename Change>
    void note(Change change) {
        if (record_) {
            std::lock_guard lock{owner_.mutex_};
            change(*record_);
        }
    }

    script_backend& owner_;
    session_id id_;
    std::shared_ptr<const script> program_;
    session_executor executor_;
    std::shared_ptr<script_backend::track_record> record_;
    event_sink* events_ = nullptr; ///< set while the stream is open
    std::shared_ptr<pause_wait> pause_;
    detail::wake_list changed_; ///< woken by mode and end; inputs that hang wait for it
    std::uint32_t next_ = 0;    ///< the step that the script is at
    std::uint32_t inputs_seen_ = 0;
    std::uint32_t inputs_wanted_ = 0;
    std::uint32_t resumed_ = 0;
    std::uint32_t resumed_before_ = 0; ///< when the idle step was entered
    script::input_mode mode_;
    bool entered_ = false; ///< the step has begun to wait
    bool going_on_ = false;
    bool ended_ = false;
};

script_backend::script_backend(script every_session)
    : source_{[shared =
                   std::make_shared<const script>(std::move(every_session))](const spawn_request&) {
          return shared;
      }} {}

script_backend::script_backend(script_source source) : source_{std::move(source)} {}

script_backend::~script_backend() = default;

session_awaitable<std::unique_ptr<worker>> script_backend::spawn(const spawn_request& request,
                                                                 session_executor executor) {
    auto program = source_(request);
    if (program->spawn_refusal_) {
        throw error{errc::process,
                    "session '" + request.id.str() + "': " + *program->spawn_refusal_};
    }
    auto id = program->spawn_as_.value_or(request.id);
    co_return std::make_unique<script_worker>(*this, std::move(id), std::move(program),
                                              std::move(executor));
}

std::shared_ptr<script_backend::track_record>
script_backend::start_record(const session_id& id, const session_executor& executor) {
    auto record = std::make_shared<track_record>(executor);
    std::lock_guard lock{mutex_};
    records_.insert_or_assign(id, record);
    return record;
}

std::shared_ptr<script_backend::track_record>
script_backend::find_record(const session_id& id) const {
    std::lock_guard lock{mutex_};
    const auto found = records_.find(id);
    return found == records_.end() ? nullptr : found->second;
}

template <typename Action>
void script_backend::reach(const session_id& id, Action action) {
    const auto record = find_record(id);
    std::optional<session_executor> executor;
    if (record) {
        const std::lock_guard lock{mutex_};
        executor = record->executor;
    }
    if (executor) {
        asio::post(*executor, [record, action = std::move(action)]() mutable {
            if (record->worker != nullptr) {
                action(*record->worker);
            }
        });
    }
}

void script_backend::push(const session_id& id, event value) {
    reach(id, [value = std::move(value)](script_worker& worker) mutable {
        worker.say(std::move(value));
    });
}

void script_backend::resume(const session_id& id) {
    reach(id, [](script_worker& worker) { worker.resume(); });
}

void script_backend::set_input(const session_id& id, script::input_mode mode) {
    reach(id, [mode](script_worker& worker) { worker.set_mode(mode); });
}

std::vector<std::string> script_backend::inputs(const session_id& id) const {
    const auto record = find_record(id);
    std::lock_guard lock{mutex_};
    return record ? record->inputs : std::vector<std::string>{};
}

std::vector<needs_input_response> script_backend::responses(const session_id& id) const {
    const auto record = find_record(id);
    std::lock_guard lock{mutex_};
    return record ? record->responses : std::vector<needs_input_response>{};
}

std::vector<terminal_size> script_backend::sizes(const session_id& id) const {
    const auto record = find_record(id);
    std::lock_guard lock{mutex_};
    return record ? record->sizes : std::vector<terminal_size>{};
}

} // namespace muster
