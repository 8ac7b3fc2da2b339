import { useEffect, useState } from 'react';
import {
  Button,
  Image,
  Pressable,
  ScrollView,
  StyleSheet,
  Text,
  TextInput,
  useColorScheme,
  View,
} from 'react-native';
import { SafeAreaProvider, SafeAreaView } from 'react-native-safe-area-context';

import type { Check } from './core/self-test.ts';
import { firstSeed, labels, shape, titles, useStudio } from './use-studio.ts';

/** The app's one screen: a seed, its picture, and the test of this device. */
export default function App() {
  const { picture, progress, message, checks, draw, test } = useStudio();
  const [seed, setSeed] = useState(String(firstSeed));
  const [way, setWay] = useState(0);
  const [label, setLabel] = useState(0);
  const dark = useColorScheme() === 'dark';
  const ink = { color: dark ? '#eeeeee' : '#111111' };

  useEffect(() => {
    void draw(0, firstSeed, 0);
  }, [draw]);

  const another = () => {
    const next = Number(seed) + 1;
    setSeed(String(next));
    void draw(way, next, label);
  };

  return (
    <SafeAreaProvider>
      <SafeAreaView style={[styles.page, { backgroundColor: dark ? '#111111' : '#ffffff' }]}>
        <ScrollView contentContainerStyle={styles.content}>
          <Image
            accessibilityLabel="The picture that the model drew"
            source={picture ? { uri: picture } : undefined}
            style={{ aspectRatio: shape.width / shape.height }}
          />
          <View accessibilityRole="progressbar" style={styles.track}>
            <View style={[styles.bar, { width: `${100 * progress}%` }]} />
          </View>
          <View style={styles.row}>
            <Text style={ink}>Seed</Text>
            <TextInput
              accessibilityLabel="Seed"
              keyboardType="number-pad"
              maxLength={15}
              onChangeText={(text) => setSeed(text.replace(/\D/g, ''))}
              style={[styles.input, ink]}
              value={seed}
            />
          </View>
          <Choice names={titles} chosen={way} onChoose={setWay} />
          <Choice names={labels} chosen={label} onChoose={setLabel} />
          <Button title="Draw" onPress={() => void draw(way, Number(seed), label)} />
          <Button title="Another" onPress={another} />
          <Button title="Test this device" onPress={() => void test()} />
          <Text accessibilityLiveRegion="polite" style={ink}>
            {message}
          </Text>
          {checks.map((check) => (
            <Text key={check.title} selectable style={ink}>
              {told(check)}
            </Text>
          ))}
        </ScrollView>
      </SafeAreaView>
    </SafeAreaProvider>
  );
}

function told({ title, maxAbs, psnr, limit, passed }: Check): string {
  const error = `Largest error ${maxAbs.toPrecision(2)}, ${psnr.toFixed(1)} dB (${limit})`;
  return `${passed ? 'Passed' : 'FAILED'}: ${title}. ${error}`;
}

interface ChoiceProps {
  names: string[];
  chosen: number;
  onChoose: (place: number) => void;
}

/** A choice, where there is one to make. */
function Choice({ names, chosen, onChoose }: ChoiceProps) {
  if (names.length < 2) return null;
  return (
    <View accessibilityRole="radiogroup" style={styles.choice}>
      {names.map((name, place) => (
        <Pressable
          accessibilityRole="radio"
          accessibilityState={{ checked: place === chosen }}
          key={name}
          onPress={() => onChoose(place)}
          style={[styles.option, place === chosen && styles.chosen]}
        >
          <Text style={place === chosen ? styles.chosenText : styles.optionText}>{name}</Text>
        </Pressable>
      ))}
    </View>
  );
}

const styles = StyleSheet.create({
  page: { flex: 1 },
  content: { gap: 12, padding: 16 },
  row: { alignItems: 'center', flexDirection: 'row', gap: 12 },
  input: { borderColor: '#888888', borderRadius: 8, borderWidth: 1, flex: 1, padding: 12 },
  track: { backgroundColor: '#88888855', borderRadius: 3, height: 6 },
  bar: { backgroundColor: '#1a73e8', borderRadius: 3, height: 6 },
  choice: { flexDirection: 'row', flexWrap: 'wrap', gap: 8 },
  option: { borderColor: '#888888', borderRadius: 24, borderWidth: 1, minHeight: 48, padding: 12 },
  optionText: { color: '#888888' },
  chosen: { backgroundColor: '#1a5fb4', borderColor: '#1a5fb4' },
  chosenText: { color: '#ffffff' },
});
