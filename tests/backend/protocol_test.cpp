#include "seeded_random.hpp"

#include <muster/backend/protocol.hpp>
#include <muster/error.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

using namespace muster;
using muster::test::seeded_random;

BOOST_AUTO_TEST_SUITE(backend)
BOOST_AUTO_TEST_SUITE(protocol)

namespace {

/// What was decoded, in a form in which the cuts of the input cannot be seen: one entry an event,
/// neighbouring outputs joined.
std::vector<std::string> joined(const std::vector<event>& events) {
    std::vector<std::string> result;
    bool joins = false;
    for (const event& value : events) {
        const auto* said = value.get_if<output>();
        if (said != nullptr && joins) {
            result.back() += said->bytes;
        } else {
            result.push_back(said != nullptr ? "=" + said->bytes : encode_protocol_event(value));
        }
        joins = said != nullptr;
    }
    return result;
}

std::vector<std::string> decode(std::string_view bytes, const std::vector<std::size_t>& cuts = {},
                                std::size_t max_line = 200) {
    protocol_decoder decoder{max_line};
    std::vector<event> events;
    std::size_t start = 0;
    for (const std::size_t cut : cuts) {
        decoder.feed(bytes.substr(start, cut - start), events);
        start = cut;
    }
    decoder.feed(bytes.substr(start), events);
    BOOST_TEST(decoder.held() <= max_line);
    decoder.finish(events);
    return joined(events);
}

std::string only_line(std::string_view line) {
    const auto result = decode(std::string{line} + "\n", {}, 1000);
    return result.size() == 1 ? result.front() : "?";
}

bool is_plain(std::string_view line) {
    return only_line(line) == "=" + std::string{line} + "\n";
}

void check_round_trip(const event& value) {
    const std::string line = encode_protocol_event(value);
    BOOST_TEST(line.back() == '\n');
    BOOST_TEST(std::count(line.begin(), line.end(), '\n') == 1);
    BOOST_TEST(only_line(line.substr(0, line.size() - 1)) == line);
}

needs_input full_question() {
    question first{
        "q1", "Which?",
        std::vector<question_option>{question_option{"a", "the first"}, question_option{"b"}}};
    first.header = "Choice";
    first.is_other = true;
    question second{"q2", "Password?"};
    second.is_secret = true;
    return needs_input{"p1", "Go on?", {"yes", "no"}, "no", {first, second}};
}

} // namespace

BOOST_AUTO_TEST_CASE(every_kind_goes_through_a_line_and_comes_back) {
    check_round_trip(checkpoint{"s"});
    check_round_trip(checkpoint{"s\n\"\x01", "d", {"a.cpp", "b.cpp"}});
    check_round_trip(needs_input{"p", "q"});
    check_round_trip(full_question());
    check_round_trip(blocked{"r"});
    check_round_trip(blocked{"r", "h", "l"});
    for (const auto kind :
         {artifact_kind::diff, artifact_kind::pull_request, artifact_kind::test_run,
          artifact_kind::log_snippet, artifact_kind::link, artifact_kind::session_export}) {
        check_round_trip(artifact{kind, "id", "label", "uri"});
    }
    artifact other{artifact_kind::other};
    other.other_type = "chart";
    check_round_trip(other);
    check_round_trip(turn_state{true});
    check_round_trip(turn_state{false});
    check_round_trip(done{});
    check_round_trip(done{"all"});
    check_round_trip(crashed{"why"});
}

BOOST_AUTO_TEST_CASE(the_members_arrive_in_the_payload) {
    const auto decoded = decode_protocol_line(encode_protocol_event(full_question()));
    BOOST_REQUIRE(decoded.has_value());
    const auto* asked = decoded->get_if<needs_input>();
    BOOST_REQUIRE(asked != nullptr);
    BOOST_TEST(asked->prompt_id == "p1");
    BOOST_TEST(asked->options.size() == 2U);
    BOOST_TEST(asked->default_option.value() == "no");
    BOOST_TEST(asked->questions.at(0).header == "Choice");
    BOOST_TEST(asked->questions.at(0).is_other);
    BOOST_TEST(asked->questions.at(0).options.value().at(0).description == "the first");
    BOOST_TEST(asked->questions.at(1).is_secret);
    BOOST_TEST(!asked->questions.at(1).options.has_value());
}

BOOST_AUTO_TEST_CASE(an_output_event_names_its_stream) {
    const auto decoded =
        decode_protocol_line(R"({"muster":1,"event":"output","text":"warn","stream":"stderr"})");
    BOOST_REQUIRE(decoded.has_value());
    const auto* said = decoded->get_if<output>();
    BOOST_TEST((said->stream == output_stream::standard_error));
    BOOST_TEST(said->bytes == "warn");
}

BOOST_AUTO_TEST_CASE(the_supervisors_own_events_cannot_be_said) {
    BOOST_CHECK_THROW((void)encode_protocol_event(killed{}), error);
    BOOST_CHECK_THROW((void)encode_protocol_event(restarted{1, "r"}), error);
    BOOST_TEST(is_plain(R"({"muster":1,"event":"killed"})"));
    BOOST_TEST(is_plain(R"({"muster":1,"event":"restarted","attempt":1,"reason":"r"})"));
}

BOOST_AUTO_TEST_CASE(order_blanks_unknown_members_nulls_and_crlf_do_not_matter) {
    const std::string expected = encode_protocol_event(done{"x"});
    BOOST_TEST(only_line(R"({"muster":1,"event":"done","summary":"x"})") == expected);
    BOOST_TEST(only_line(R"(  { "summary" : "x", "new":[{}], "event":"done" , "muster" : 1 } )") ==
               expected);
    BOOST_TEST(only_line("\t{\"summary\":\"x\",\"event\":\"done\",\"muster\":1}\r") == expected);
    BOOST_TEST(only_line(R"({"muster":1,"event":"done","summary":null})") ==
               encode_protocol_event(done{}));
}

BOOST_AUTO_TEST_CASE(what_is_not_the_protocol_is_output_byte_by_byte) {
    for (
        const char* line : {
            "",
            " ",
            "{",
            "}",
            "{}",
            "[]",
            "null",
            "text",
            "{\"event\":\"done\"}",
            R"({"muster":2,"event":"done"})",
            R"({"muster":"1","event":"done"})",
            R"({"muster":1.0,"event":"done"})",
            R"({"muster":true,"event":"done"})",
            R"({"muster":1})",
            R"({"muster":1,"event":7})",
            R"({"muster":1,"event":"new"})",
            R"({"muster":1,"event":"done"} x)",
            R"({"muster":1,"event":"done")",
            R"({"muster":1,"event":"done","summary":3})",
            R"({"muster":1,"event":"checkpoint"})",
            R"({"muster":1,"event":"checkpoint","summary":"s","file_refs":"f"})",
            R"({"muster":1,"event":"checkpoint","summary":"s","file_refs":[1]})",
            R"({"muster":1,"event":"needs_input","prompt_id":"p"})",
            R"({"muster":1,"event":"needs_input","prompt_id":"p","question":"q","questions":[{}]})",
            R"({"muster":1,"event":"needs_input","prompt_id":"p","question":"q","questions":["x"]})",
            R"({"muster":1,"event":"turn_state"})",
            R"({"muster":1,"event":"turn_state","active":1})",
            R"({"muster":1,"event":"blocked"})",
            R"({"muster":1,"event":"artifact"})",
            R"({"muster":1,"event":"crashed"})",
            R"({"muster":1,"event":"output"})",
            R"({"muster":1,"event":"output","text":"t","stream":"x"})",
            "{\"muster\":1,\"event\":\"done\",\"summary\":\"\xff\xfe\"}",
            "[{\"muster\":1,\"event\":\"done\"}]",
            "x{\"muster\":1,\"event\":\"done\"}",
        }) {
        BOOST_TEST(is_plain(line), line);
    }
}

BOOST_AUTO_TEST_CASE(a_deeply_nested_line_is_survived) {
    const std::string deep = "{\"muster\":1,\"x\":" + std::string(100'000, '[');
    BOOST_TEST((decode(deep, {}, 1'000'000) == std::vector<std::string>{"=" + deep}));
}

BOOST_AUTO_TEST_CASE(text_without_newline_comes_out_at_once) {
    protocol_decoder decoder;
    std::vector<event> events;
    decoder.feed("login: ", events);
    BOOST_TEST((joined(events) == std::vector<std::string>{"=login: "}));
    decoder.feed("\n  x", events);
    BOOST_TEST((joined(events) == std::vector<std::string>{"=login: \n  x"}));
    BOOST_TEST(decoder.held() == 0U);
}

BOOST_AUTO_TEST_CASE(an_unfinished_last_line_is_decoded_at_the_end) {
    const std::string line = R"({"muster":1,"event":"done"})";
    BOOST_TEST((decode(line) == std::vector<std::string>{encode_protocol_event(done{})}));
    BOOST_TEST((decode("{\"muster\":1,") == std::vector<std::string>{"={\"muster\":1,"}));
    BOOST_TEST((decode("  ") == std::vector<std::string>{"=  "}));
}

BOOST_AUTO_TEST_CASE(a_line_of_exactly_the_limit_is_an_event_and_a_longer_one_is_not) {
    const std::string line = R"({"muster":1,"event":"done"})";
    for (std::size_t cut = 0; cut <= line.size(); ++cut) {
        BOOST_TEST((decode(line + "\nx", {cut}, line.size()) ==
                    std::vector<std::string>{encode_protocol_event(done{}), "=x"}));
        BOOST_TEST((decode(line + "\nx", {cut}, line.size() - 1) ==
                    std::vector<std::string>{"=" + line + "\nx"}));
    }
    BOOST_TEST((decode(std::string(300, ' ') + line, {10, 205}) ==
                std::vector<std::string>{"=" + std::string(300, ' ') + line}));
}

BOOST_AUTO_TEST_CASE(a_cut_at_any_byte_changes_nothing) {
    const std::string text =
        "plain\n{\"muster\":1,\"event\":\"turn_state\",\"active\":true}\r\n  {}\n\n"
        "\t{\"muster\":1,\"event\":\"checkpoint\",\"summary\":\"\xc3\xa4\"}\n"
        "{\"muster\":1,\"event\":\"checkpoint\",\"summary\":\"\xc3\"}\n{tail";
    const auto whole = decode(text);
    BOOST_TEST(whole.size() == 5U);
    for (std::size_t first = 0; first <= text.size(); ++first) {
        for (std::size_t second = first; second <= text.size(); ++second) {
            BOOST_REQUIRE((decode(text, {first, second}) == whole));
        }
    }
}

BOOST_AUTO_TEST_CASE(random_bytes_in_random_pieces_lose_nothing) {
    seeded_random random;
    const std::vector<std::string> parts{R"({"muster":1,"event":"done","summary":"x"})",
                                         "{",
                                         "}",
                                         "\n",
                                         "\n",
                                         "\r\n",
                                         " ",
                                         "\t",
                                         "\"muster\"",
                                         "plain text",
                                         "\xff",
                                         std::string(1, '\0'),
                                         "{\"muster\":1,\"event\":\"",
                                         std::string(120, 'y')};
    for (int round = 0; round < 3000; ++round) {
        std::string text;
        for (auto count = random.below(30); count > 0; --count) {
            text += parts.at(random.below(parts.size()));
        }
        std::vector<std::size_t> cuts;
        for (auto count = random.below(8); count > 0; --count) {
            cuts.push_back(random.below(text.size() + 1));
        }
        std::sort(cuts.begin(), cuts.end());
        const auto whole = decode(text);
        BOOST_REQUIRE((decode(text, cuts) == whole));
        std::string kept;
        for (const auto& entry : whole) {
            kept += entry.front() == '=' ? entry.substr(1) : "";
        }
        // Every byte is output or in a line that became an event: take those lines out of the text.
        std::string expected;
        for (std::size_t start = 0; start < text.size();) {
            const auto end = std::min(text.find('\n', start), text.size());
            const auto line = std::string_view{text}.substr(start, end - start);
            const auto next = std::min(end + 1, text.size());
            if (line.size() > 200 || !decode_protocol_line(line)) {
                expected += text.substr(start, next - start);
            }
            start = next;
        }
        BOOST_REQUIRE(kept == expected);
    }
}

BOOST_AUTO_TEST_CASE(inputs_are_lines_of_json) {
    BOOST_TEST(encode_protocol_prompt("go\n\"on\"") ==
               "{\"muster\":1,\"input\":\"prompt\",\"text\":\"go\\n\\\"on\\\"\"}\n");
    BOOST_TEST(encode_protocol_response(needs_input_response{"p", "yes"}) ==
               "{\"muster\":1,\"input\":\"response\",\"prompt_id\":\"p\",\"answers\":"
               "[{\"question_id\":\"\",\"answer\":\"yes\"}]}\n");
    BOOST_TEST(encode_protocol_prompt("\xff") ==
               "{\"muster\":1,\"input\":\"prompt\",\"text\":\"\xef\xbf\xbd\"}\n");
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
